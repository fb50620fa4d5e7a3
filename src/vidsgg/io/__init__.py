"""Files: videos, images, untrusted pickles, annotation columns, graphs."""
