// One face for a video, a row of pictures, and nothing: {element, play, pause, playing, seek, rate, draw}. Whoever plays calls moveTo.

const videoMedia = (text) => {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  const video = make(null, "video", { playsinline: "", preload: "auto", "aria-hidden": "true" });
  video.muted = true;
  video.src = URL.createObjectURL(new Blob([bytes], { type: "video/mp4" }));
  const { begin } = content.media;
  let wanted = null; // where to go when the seek that is under way has arrived
  const go = (time) => {
    const place = Math.min(Math.max(time - begin, 0), Math.max(0, content.media.duration - 1e-3));
    if (video.seeking) wanted = place;
    else video.currentTime = place + 1e-4; // not a hair before the frame
  };
  video.addEventListener("seeked", () => {
    if (wanted !== null) { video.currentTime = wanted + 1e-4; wanted = null; }
    tell("frame"); // the small pictures in the graph
  });
  video.addEventListener("loadeddata", () => tell("frame"));
  for (const name of ["play", "pause", "ended"]) video.addEventListener(name, () => tell("playing"));
  const follow = (mediaTime) => { if (!video.paused && !video.seeking) moveTo(begin + mediaTime); };
  if (video.requestVideoFrameCallback) {
    const next = (_, { mediaTime }) => { follow(mediaTime); video.requestVideoFrameCallback(next); };
    video.requestVideoFrameCallback(next);
  } else {
    const next = () => { follow(video.currentTime); requestAnimationFrame(next); };
    next();
  }
  video.addEventListener("ended", () => moveTo(ending));
  return {
    element: video,
    playing: () => !video.paused && !video.ended,
    play: () => { if (state.time >= ending - 0.05) { moveTo(beginning); go(beginning); } video.play().catch(() => tell("playing")); }, // a pause may come first
    pause: () => video.pause(),
    seek: (time) => { go(time); moveTo(time); },
    rate: (value) => { video.playbackRate = value; },
    draw: (context, [x1, y1, x2, y2], side) => {
      if (video.readyState < 2) return false;
      const [width, height] = sizeOf(state.frame);
      const [sx, sy] = [video.videoWidth / width, video.videoHeight / height];
      context.drawImage(video, x1 * sx, y1 * sy, (x2 - x1) * sx, (y2 - y1) * sy, 0, 0, side, side);
      return true;
    },
  };
};

// A clock that goes through the graphs, with their pictures or without.
const clockMedia = (rows) => {
  const image = rows.some(Boolean) ? make(null, "img", { alt: "" }) : make(null, "div", { class: "no-picture" });
  const pictured = (frame) => rows[frame] && `data:image/jpeg;base64,${rows[frame]}`;
  const ahead = new Image();
  let shown = -1;
  const show = () => {
    if (shown === state.frame || !rows.some(Boolean)) return;
    shown = state.frame;
    image.hidden = !rows[shown];
    if (rows[shown]) image.src = pictured(shown);
    if (rows[shown + 1]) ahead.src = pictured(shown + 1); // decoded when it is needed
  };
  on("frame", show);
  if (image.tagName === "IMG") image.addEventListener("load", () => tell("frame"));
  let timer = null;
  let rate = 1;
  let before = 0;
  const stop = () => { cancelAnimationFrame(timer); timer = null; tell("playing"); };
  const tick = (now) => {
    const time = state.time + ((now - before) / 1000) * rate;
    before = now;
    moveTo(time);
    if (time >= ending) stop();
    else timer = requestAnimationFrame(tick);
  };
  show();
  return {
    element: image,
    playing: () => timer !== null,
    play: () => {
      if (state.time >= ending - 0.05) moveTo(beginning);
      before = performance.now();
      timer = requestAnimationFrame(tick);
      tell("playing");
    },
    pause: () => { if (timer !== null) stop(); },
    seek: moveTo,
    rate: (value) => { rate = value; },
    draw: (context, [x1, y1, x2, y2], side) => {
      if (image.tagName !== "IMG" || !rows[state.frame] || !image.complete || !image.naturalWidth) return false;
      const [width, height] = sizeOf(state.frame);
      const [sx, sy] = [image.naturalWidth / width, image.naturalHeight / height];
      context.drawImage(image, x1 * sx, y1 * sy, (x2 - x1) * sx, (y2 - y1) * sy, 0, 0, side, side);
      return true;
    },
  };
};

const mediaText = byId("media").textContent;
byId("media").remove();
const playable = isVideo && document.createElement("video").canPlayType('video/mp4; codecs="avc1.64001F"') !== "";
if (isVideo && !playable) content.notes.push("This browser cannot play H.264, so the video is not shown.");
const media = playable ? videoMedia(mediaText) : clockMedia(content.media.kind === "pictures" ? mediaText.split("\n") : []);
const isPictured = content.media.kind === "pictures" || playable;

// Step by graphs, not by the video's own frames.
const stepBy = (count) => {
  media.pause();
  const frame = count < 0 && state.time > times[state.frame] + 1e-3 ? state.frame + 1 : state.frame;
  media.seek(times[Math.min(Math.max(frame + count, 0), frameCount - 1)]);
};
