import io
import signal
from pathlib import Path

import pytest
from rich.console import Console
from terminal import program

from mconn.progress import SILENT, Bars, Lines, on, plural, rate, seconds


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=100)


def written(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_silence_accepts_everything(capsys: pytest.CaptureFixture[str]) -> None:
    with SILENT.task("train", total=3) as task:
        task.update(1, loss=1.0)
    SILENT.note("note")
    assert capsys.readouterr() == ("", "")


def test_lines_say_start_state_and_end(console: Console, clock: Clock) -> None:
    with Lines(console, clock=clock).task("train", total=4, unit="epoch") as task:
        for epoch in range(1, 5):
            clock.now += 20
            task.update(epoch, loss=1 / 3, speed="2 M examples/s")
    assert written(console) == [
        "train: 4 epochs",
        "train: 2 of 4 epochs, loss 0.3333, speed 2 M examples/s",
        "train: 4 of 4 epochs, loss 0.3333, speed 2 M examples/s, done in 1 min 20 s",
    ]


def test_a_task_of_unknown_size(console: Console, clock: Clock) -> None:
    with Lines(console, clock=clock).task("load", total=None, unit="file") as task:
        task.update(1)
    assert written(console) == ["load: started", "load: 1 file, done in 0.0 s"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_exception_leaves_a_line(
    console: Console, clock: Clock, error: type[BaseException]
) -> None:
    def work() -> None:
        with Lines(console, clock=clock).task("train", total=4) as task:
            task.update(1, batch_size="32")
            raise error

    with pytest.raises(error):
        work()
    assert written(console)[-1] == "train: 1 of 4 steps, batch size 32, stopped after 0.0 s"


def test_text_that_looks_like_markup_is_text(console: Console) -> None:
    Lines(console).note("[red]a[/red] " + 30 * "long ")
    assert written(console) == ["[red]a[/red] " + 30 * "long "]


def test_a_terminal_gets_bars_and_a_file_gets_lines(console: Console) -> None:
    assert isinstance(on(console), Lines)
    assert isinstance(on(Console(file=io.StringIO(), force_terminal=True)), Bars)


def test_bars_show_count_fields_and_nested_tasks() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    bars = Bars(console)
    with bars.task("outer", total=2, unit="pair") as outer:
        with bars.task("inner", total=None, unit="file") as inner:
            inner.update(7)
        outer.update(1, loss=0.25)
    bars.note("train: [from] the store")
    text = "\n".join(written(console))
    for part in ("outer", "1/2 pairs", "loss 0.25", "inner", "7 files", "train: [from] the store"):
        assert part in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h")  # the cursor comes back


def test_bars_fit_a_narrow_terminal() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=60, height=20)
    with Bars(console).task("train", total=3, unit="epoch") as task:
        task.update(3, loss=0.123456, accuracy=0.97, speed="1.2 M examples/s")
    # A display of one line never moves the cursor up.
    assert "\x1b[1A" not in "".join(written(console))


PROGRAM = """
import time
from rich.console import Console
from mconn.progress import on
try:
    with on(Console(stderr=True)).task("train", total=1000, unit="epoch") as task:
        for epoch in range(1000):
            time.sleep(0.05)
            task.update(epoch + 1, loss=0.5)
except KeyboardInterrupt:
    print("stopped cleanly")
"""


def test_ctrl_c_on_a_terminal_gives_the_cursor_back(tmp_path: Path) -> None:
    with program(["-c", PROGRAM], tmp_path) as (process, child):
        child.expect("/1000 epochs")
        child.expect("epochs/s")
        child.expect(r"loss 0\.5")
        process.send_signal(signal.SIGINT)
        child.expect(r"\[\?25h")
        child.expect("stopped cleanly")
        assert process.wait() == 0


def test_ctrl_c_reaches_a_child_of_tests_that_ignore_it(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with program(["-c", PROGRAM], tmp_path) as (process, child):
            child.expect(r"loss 0\.5")
            process.send_signal(signal.SIGINT)
            child.expect("stopped cleanly")
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (185, "3 min 5 s"),
        (3599.6, "1 h 0 min"),
        (3720, "1 h 2 min"),
    ],
)
def test_durations(duration: float, text: str) -> None:
    assert seconds(duration) == text


def test_counts_and_rates() -> None:
    assert [plural(1, "epoch"), plural(2, "epoch"), plural(0, "epoch")] == [
        "1 epoch",
        "2 epochs",
        "0 epochs",
    ]
    assert [rate(3.21, "epoch"), rate(0.125, "epoch"), rate(0, "epoch")] == [
        "3.21 epochs/s",
        "8 s/epoch",
        "0 epochs/s",
    ]
