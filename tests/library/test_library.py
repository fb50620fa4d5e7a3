"""Libraries: graphs go in and come out equal, again and again, whatever is killed or damaged."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from commands import ROOT
from library.test_search_oracle import LABELS, graph
from numbered_video import write

import vidsgg
from vidsgg.cli import library as library_command
from vidsgg.cli import search as search_command
from vidsgg.cli.main import run
from vidsgg.datasets.known_geometry import BUILT_IN
from vidsgg.errors import ConfigError, DataError
from vidsgg.io.graphs import read_graph, write_graph
from vidsgg.library import folder as folders
from vidsgg.library.build import add_graphs, compact, merge
from vidsgg.library.folder import MANIFEST, LibraryFolder
from vidsgg.library.search import FoundThing, Hit, Library
from vidsgg.library.tables import TABLES
from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, Origin, RelationInterval, VideoFile, VideoGraph


def held(
    subject: int, object_: int, begin: float | None, end: float | None, predicate: str = "holding"
) -> RelationInterval:
    return RelationInterval(
        subject, object_, LABELS[subject], LABELS[object_], predicate, "contacting", begin, end, 1, 9, 0.75
    )


def rich(name: str = "walk.mp4", digest: str = "a" * 64) -> VideoGraph:
    """A graph that has everything that a graph can have."""
    nodes = (
        GraphNode("person", 0.875, (1.0, 2.0, 30.0, 40.5), 0),
        GraphNode("cup/glass/bottle", 0.25, None, 1),
        GraphNode("cup/glass/bottle", 0.25),
    )
    edges = (
        GraphEdge(0, 1, "holding", "contacting", 0.5),
        GraphEdge(1, 0, "in_front_of", "spatial", 0.1, True),
        GraphEdge(0, 2, "holding", "contacting", 1.0, False),
    )
    frames = (
        GraphFrame("walk/1", 1, 0.0, 64, 48, nodes, edges),
        GraphFrame("walk/3", 3, None, 64, 48.5, (), ()),
        GraphFrame("walk/ü", 12, 0.44, 64, 48, nodes[:1], ()),
    )
    relations = (held(0, 1, None, None), held(0, 1, 0.0, 0.44, "in_front_of"))
    origin = Origin("sttran", "sgdet", "run/checkpoint.tar", "b" * 64, "c4", 2.0, (("least_score", 0.3),), ("so",))
    return VideoGraph(
        name, "own", frames, relations, replace(origin, source=name), None, VideoFile(9, digest, 12, 25.0)
    )


@pytest.fixture
def lib(tmp_path: Path) -> LibraryFolder:
    return LibraryFolder.create(tmp_path / "lib")


def test_graphs_come_out_as_they_came_in(lib: LibraryFolder) -> None:
    graphs = [rich(), graph("v1", [held(0, 1, 1.0, 2.0)]), VideoGraph("empty", "own", ())]
    assert add_graphs(lib, graphs).text() == "3 added, 0 replaced, 0 there already"
    library = vidsgg.open_library(lib.path)
    assert list(library.graphs()) == graphs
    assert [library.graph(name) for name in library.names.values()] == graphs
    assert library.counts() == {"videos": 3, "frames": 4, "things": 8, "edges": 3, "relations": 3}


def test_a_class_alone_finds_where_its_things_are_seen(lib: LibraryFolder) -> None:
    add_graphs(lib, [rich(), graph("v1", [held(0, 1, 1.0, 2.0)])])
    library = Library(lib.path)
    found = library.search(" Person ")
    assert found.total == len(found) == sum(label == "person" for g in library.graphs() for label in thing_labels(g))
    assert Hit("walk.mp4", 0.0, 0.44, 0.875, (), FoundThing("person", 0, 0, 2), ("so",)) in found.hits
    cups = [hit for hit in library.search("cup") if hit.video == "walk.mp4"]  # a part of the class's name
    assert [(hit.thing.track, hit.thing.frames, hit.score) for hit in cups if hit.thing] == [
        (1, 1, 0.25),
        (None, 1, 0.25),
    ]
    few = library.search("person", limit=1)
    assert few.hits == found.hits[:1] and few.total == found.total
    assert json.loads(few.to_json())["hits"][0]["thing"]["label"] == "person"
    assert found.to_csv().splitlines()[0] == "video,begin,end,score,thing,track,frames"
    assert "walk.mp4,0.0,0.44,0.875,person,0,2" in found.to_csv()
    assert list(found.to_pandas()["frames"]) == [row["frames"] for row in found.rows()]
    assert "FROM things" in library.explain("person")
    turned = library.search("cup holding person")
    assert (turned.total, turned.notes) == (0, ("the other way round, 'person holding cup', it has 2 hits",))
    turned = library.search('cup "holding" person score 0.1')
    assert turned.notes == ("the other way round, 'person \"holding\" cup score 0.1', it has 2 hits",)
    turned = library.search("cup ?x holding * score 0.1")
    assert turned.notes == ("the other way round, '* holding cup ?x score 0.1', it has 2 hits",)
    assert library.search("cup holding person then cup holding person").notes == ()
    right = library.search("person holding cup")
    assert (right.total, right.notes) == (2, ()) and library.search("cup holding cup").notes == ()
    with pytest.raises(ConfigError, match=r"'persn': .*a thing of that name; did you mean 'person'"):
        library.search("persn")
    with pytest.raises(ConfigError, match=r"'Holding': a predicate, .* write \* \"Holding\" \*\n"):
        library.search('"Holding"')
    with pytest.raises(ConfigError, match="limit is 0; ask for one hit"):
        library.search("person", limit=0)


def test_what_a_vocabulary_has_and_no_graph_uses_is_no_mistake(lib: LibraryFolder) -> None:
    nodes = tuple(
        GraphNode(name, 0.5, None, track) for track, name in enumerate(("person", "cup/glass/bottle", "chair"))
    )
    frame = GraphFrame("v/1", 1, 0.0, 64, 48, nodes, ())
    known = VideoGraph("v", BUILT_IN.name, (frame,), (held(0, 1, 0.0, 0.0),), schema=BUILT_IN)
    add_graphs(lib, [known])
    library = Library(lib.path)
    for query, note in (
        ("Sofa", "no graph of this library has a thing called 'sofa/couch'"),
        ("person holding couch", "no relation over time of this library has a thing called 'sofa/couch'"),
        ("person holding chair", "no relation over time of this library has a thing called 'chair'"),
        ("person behind cup", "no relation over time of this library has the predicate 'behind'"),
    ):
        found = library.search(query)
        assert (found.total, found.hits, found.notes) == (0, (), (note,)), query
        sql = library.explain(query)
        assert sql.startswith(f"-- {note}\n") and library.sql(sql).fetchall() == []
    assert library.search("person holding cup then not person behind cup").total == 1  # nor is it there
    assert library.search("chair").total == 1
    with pytest.raises(ConfigError, match="'dog': no graph and no vocabulary of this library has a thing"):
        library.search("dog")
    with pytest.raises(ConfigError, match=r"'behnd': .*predicate of that name; did you mean 'behind'"):
        library.search("person behnd cup")


def thing_labels(graph: VideoGraph) -> list[str]:
    return [label for label, _ in {(node.label, node.track) for frame in graph.frames for node in frame.nodes}]


def test_adding_again_changes_nothing(lib: LibraryFolder) -> None:
    add_graphs(lib, [rich()])
    before = {path: path.read_bytes() for path in lib.path.rglob("*") if path.is_file()}
    assert add_graphs(LibraryFolder(lib.path), [rich()]).text() == "0 added, 0 replaced, 1 there already"
    assert {path: path.read_bytes() for path in lib.path.rglob("*") if path.is_file()} == before


def test_a_newer_graph_of_a_video_takes_the_place_of_the_older(lib: LibraryFolder) -> None:
    older, other = rich(), graph("v1", [held(0, 1, 1.0, 2.0)])
    newer = replace(older, frames=older.frames[:1])
    add_graphs(lib, [older, other])
    assert add_graphs(lib, [newer]).text() == "0 added, 1 replaced, 0 there already"
    assert sorted(g.video_id for g in Library(lib.path).graphs()) == ["v1", "walk.mp4"]
    assert Library(lib.path).graph("walk.mp4") == newer
    assert add_graphs(lib, [older, newer, older]).text() == "0 added, 3 replaced, 0 there already"
    assert Library(lib.path).graph("walk.mp4") == older  # the last one counts, also within a call


def test_videos_of_one_name_are_told_apart_by_their_films(lib: LibraryFolder) -> None:
    one, other = rich(), rich(digest="c" * 64)
    add_graphs(lib, [one, other])
    library = Library(lib.path)
    assert library.graph("walk.mp4") == one
    assert library.graph("walk.mp4 (2)") == other


def test_libraries_are_merged_and_made_compact(lib: LibraryFolder, tmp_path: Path) -> None:
    for n in range(4):
        add_graphs(lib, [graph(f"v{n}", [held(0, 1, float(n), n + 1.0)])])
    other = LibraryFolder.create(tmp_path / "other")
    changed = graph("v2", [held(0, 2, 7.0, 8.0)])
    add_graphs(other, [rich(), graph("v1", [held(0, 1, 1.0, 2.0)]), changed])
    assert merge(lib, [other]).text() == "1 added, 1 replaced, 1 there already"
    merged = {name: Library(lib.path).graph(name) for name in Library(lib.path).names.values()}
    assert merged["v2"] == changed and merged["walk.mp4"] == rich() and len(merged) == 5
    before, after = compact(LibraryFolder(lib.path))
    assert before > 1 and after == 1
    assert {name: Library(lib.path).graph(name) for name in Library(lib.path).names.values()} == merged
    assert len(list(lib.path.rglob("*.parquet"))) == len(TABLES)


def test_a_killed_writer_leaves_the_library_as_it_was(lib: LibraryFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    add_graphs(lib, [rich()])
    with monkeypatch.context() as patch:
        patch.setattr(folders, "write_whole", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            add_graphs(LibraryFolder(lib.path), [graph("v1", [held(0, 1, 1.0, 2.0)])])
    assert list(Library(lib.path).graphs()) == [rich()]
    assert len(list(lib.path.rglob("*.parquet"))) == 2 * len(TABLES)  # as a killed writer leaves them
    add_graphs(LibraryFolder(lib.path), [graph("v2", [held(0, 1, 1.0, 2.0)])])
    assert sorted(Library(lib.path).names.values()) == ["v2", "walk.mp4"]
    assert len(list(lib.path.rglob("*.parquet"))) == 2 * len(TABLES)


def test_one_writer_at_a_time(lib: LibraryFolder) -> None:
    with lib.writing(), pytest.raises(ConfigError, match="another process writes to the library"):
        add_graphs(LibraryFolder(lib.path), [rich()])


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        (MANIFEST, b"{}", "is not the list of a library"),
        (MANIFEST, b'{"format": "vidsgg.library", "version": 99}', "install a newer one"),
        (MANIFEST, b'{"format": "vidsgg.library", "version": 1}', "lacks 'next_video'"),
        (MANIFEST, b'{"format":"vidsgg.library","version":1,"next_video":1,"next_part":1,"parts":[{"name":"../x","rows":{}}]}',
         "parts\\[0\\].name"),
        ("videos/000001.parquet", b"PAR1 no", "cannot be read"),
        ("relations/000001.parquet", b"", "cannot be read"),
    ],
)  # fmt: skip
def test_damaged_libraries_end_in_one_message(lib: LibraryFolder, file: str, content: bytes, said: str) -> None:
    add_graphs(lib, [rich()])
    (lib.path / file).write_bytes(content)
    with pytest.raises(DataError, match=said):
        library = Library(lib.path)
        library.search("person holding cup")
        list(library.graphs())


def test_folders_of_others_are_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("1")
    with pytest.raises(ConfigError, match="no library"):
        LibraryFolder.create(tmp_path)
    with pytest.raises(DataError, match=r"'vidsgg library build' makes one"):
        vidsgg.open_library(tmp_path)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("person holdng cup", "'holdng': .*predicate.*did you mean 'holding'"),
        ("person holding cupp", "'cupp': .*did you mean 'cup'"),
        ("person holding", "the end of the query: expected the object"),
        ("", "the end of the query: expected the subject"),
        ("not person holding cup", "'not': the first relation must be there"),
        ("person holding cup then within soon person holding cup", "'soon': expected a time"),
        ("person holding cup score 2", "'2': expected a score"),
        ("person holding cup and person holding cup", "'and': expected 'then', 'before', 'while', 'for' or 'score'"),
        ("person holding cup then not person holding ?x", r"'\?x': no relation before"),
        ("person holding ?1", r"'\?1': a name for a thing"),
        (" then ".join(["person holding cup"] * 9), "at most 8 relations"),
        ("x" * 2001, "at most 2,000"),
    ],
)
def test_mistakes_point_at_the_word(lib: LibraryFolder, query: str, said: str) -> None:
    add_graphs(lib, [rich()])
    with pytest.raises(ConfigError, match=said):
        Library(lib.path).search(query)


def test_a_library_without_relations_says_so(lib: LibraryFolder) -> None:
    add_graphs(lib, [replace(rich(), relations=())])
    found = Library(lib.path).search("person holding cup")
    assert found.total == 0 and found.notes == ("no graph of this library has a relation over time",)
    with pytest.raises(ConfigError, match="'dog': no graph of this library has a thing of that name; it has cup"):
        Library(lib.path).search("person holding dog")  # these graphs come without a vocabulary
    with pytest.raises(ConfigError, match="'dog': no graph of this library has a thing or a relation"):
        Library(LibraryFolder.create(lib.path.parent / "new").path).search("dog")


def test_the_mark_is_below_the_word(lib: LibraryFolder) -> None:
    add_graphs(lib, [rich()])
    with pytest.raises(ConfigError) as error:
        Library(lib.path).search('person holding "cup" then person holdin cup')
    _, query, mark = str(error.value).splitlines()
    assert query[mark.index("^") : mark.rindex("^") + 1] == "holdin"


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "walk.mp4", frames=12)
    write_graph(
        tmp_path / "graphs" / "walk.graph.json", replace(rich(), made_by=replace(rich().made_by, source="../walk.mp4"))
    )
    (tmp_path / "graphs" / "bad.graph.json").write_text("{}")
    command = ["build", "graphs", "-o", "lib"]
    assert run(library_command.main, command) == 2
    said = capsys.readouterr()
    assert "lib: 1 added, 0 replaced, 0 there already" in said.out and "bad.graph.json" in said.err
    assert run(library_command.main, ["info", "lib", "-json", "True"]) == 0
    assert json.loads(capsys.readouterr().out)["videos"] == 1
    assert run(library_command.main, ["info", "lib"]) == 0
    assert "1 video, " in capsys.readouterr().out
    assert run(search_command.main, ["lib", "person in_front_of cup", "-page", "hits.html", "-format", "csv"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[1] == "walk.mp4,0.0,0.44,0.75,person in_front_of cup/glass/bottle"
    page = (tmp_path / "hits.html").read_text(encoding="utf-8")
    assert page.count("data:video/mp4;base64,") == 1
    assert run(search_command.main, ["lib", "-sql", "SELECT count(*) AS n FROM edges"]) == 0
    assert capsys.readouterr().out == "n\n3\n"
    assert run(search_command.main, ["lib", "-sql", "SELECT nothing FROM edges"]) == 2
    assert "DuckDB rejects" in capsys.readouterr().err
    assert run(search_command.main, ["lib", "person holding cup", "-explain", "True"]) == 0
    assert "FROM relations AS r1" in capsys.readouterr().out
    assert run(search_command.main, ["lib", "person holding cup", "-explain", "True", "-page", "new.html"]) == 2
    assert "-explain prints the SQL and searches nothing" in capsys.readouterr().err
    assert run(search_command.main, ["lib"]) == 2
    assert read_graph(tmp_path / "graphs" / "walk.graph.json") == Library("lib").graph("walk.mp4")


def test_what_a_graph_should_be_known_for_is_said_wherever_its_hits_are_shown(
    tmp_path: Path, lib: LibraryFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    other = replace(rich("other.mp4", "d" * 64), made_by=replace(rich().made_by, notes=("so", "<cut>"), source=None))
    add_graphs(lib, [rich(), other])
    hits = Library(lib.path).search("cup")
    assert hits.shared_notes() == ("so",) and {hits.own_notes(hit) for hit in hits} == {(), ("<cut>",)}
    assert run(search_command.main, ["lib", "cup", "-page", "hits.html"]) == 0
    said = capsys.readouterr()
    assert said.out.count("cup/glass/bottle in 1 graph") == 4
    assert {"so", "2 hits: <cut>"} < set(said.err.splitlines())
    page = (tmp_path / "hits.html").read_text(encoding="utf-8")
    assert page.count('<p role="note">so</p>') == 1 and page.count('<p role="note">&lt;cut&gt;</p>') == 2
    assert page.count("<b>cup/glass/bottle</b> in 1 graph") == 4


def test_the_page_in_the_docs_names_every_column() -> None:
    text = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    for table, schema in TABLES.items():
        assert f"| `{table}` |" in text
        assert ", ".join(f"`{name}`" for name in schema.names) in text


@pytest.mark.parametrize(
    "damage",
    [{"parts": []}, {"next_part": 1}, {"next_video": 1}, {"checksum": ""}],
    ids=["a part lost", "a number again", "a video's number again", "no checksum"],
)
def test_a_damaged_list_removes_and_overwrites_nothing(lib: LibraryFolder, damage: dict[str, object]) -> None:
    add_graphs(lib, [rich()])
    content = json.loads((lib.path / MANIFEST).read_text(encoding="utf-8"))
    (lib.path / MANIFEST).write_text(json.dumps(content | damage), encoding="utf-8")
    before = {path: path.read_bytes() for path in lib.path.rglob("*") if path.is_file()}
    with pytest.raises(DataError, match="is not what was written: its checksum is another one"):
        add_graphs(LibraryFolder(lib.path), [rich("other.mp4")])
    with pytest.raises(DataError, match="its checksum is another one"), lib.writing():
        pass
    assert {path: path.read_bytes() for path in lib.path.rglob("*") if path.is_file()} == before


def test_files_that_several_processes_read_make_the_same_library(tmp_path: Path) -> None:
    folder = tmp_path / "graphs"
    folder.mkdir()
    for number in range(40):  # a later graph of a video replaces an earlier one
        write_graph(folder / f"{number:02}.graph.json", graph(f"v{number % 30}", [held(0, 1, number, number + 1.0)]))
    (folder / "33.graph.json").write_text("no graph")
    for out, jobs in (("one", "1"), ("two", "2")):
        assert run(library_command.main, ["build", str(folder), "-o", str(tmp_path / out), "-jobs", jobs]) == 2
    one, two = (
        {p.relative_to(at): p.read_bytes() for p in at.rglob("*.*")} for at in (tmp_path / "one", tmp_path / "two")
    )
    assert one == two and len(one) > 5
    assert len(LibraryFolder(tmp_path / "one").known()) == 30


def test_a_library_is_closed_before_python_ends(lib: LibraryFolder) -> None:
    """A thread of DuckDB that worked on would abort the process."""
    code = f"""
import atexit
def tell():
    try: library.sql("SELECT 1")
    except Exception as error: print(error)
atexit.register(tell)  # before the library's own, so it runs after it
import vidsgg
library = vidsgg.open_library({str(lib.path)!r})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and "closed" in done.stdout, done
