"""What bash completes, typed into a bash on a terminal of its own."""

import os
import pty
import re
import select
import shutil
import time

import pytest

import transect

SETUP = "PS1=; bind 'set enable-bracketed-paste off'; source ./completions; echo rea''dy\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("completions")
    (place / "completions").write_bytes(transect.run("generate", "completions", "bash").stdout)
    (place / "here" / "lists").mkdir(parents=True)
    (place / "here" / "lists" / "my codes.txt").touch()
    (place / "here" / "panel.store").mkdir()
    return place


def read(terminal, mark):
    """What comes, until `mark` does."""
    text, ends = "", time.monotonic() + 30
    while mark not in text:
        assert time.monotonic() < ends, text
        if select.select([terminal], [], [], 1.0)[0]:
            text += os.read(terminal, 65536).decode(errors="replace")
    return text


def completed(place, line):
    """What becomes of `line` with a TAB behind it."""
    child, terminal = pty.fork()
    if child == 0:
        try:
            os.chdir(place / "here")
            os.environ.update(TERM="dumb", LC_ALL="C", INPUTRC="/dev/null")
            os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
        finally:
            os._exit(127)
    try:
        os.write(terminal, SETUP.replace("./", "../").encode())
        read(terminal, "ready\r\n")
        # Then to its beginning and to its end, to make a text of it.
        os.write(terminal, f"{line}\t\x01echo '<\x05>'\n".encode())
        return re.search(r"\n<(.*)>\r", read(terminal, ">\r\n"))[1].rstrip()
    finally:
        os.close(terminal)
        os.waitpid(child, 0)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
@pytest.mark.parametrize(
    "line, whole",
    [
        # Files, where no option begins.
        ("transect info p", "transect info panel.store/"),
        ("transect transpose panel.store l", "transect transpose panel.store lists/"),
        ("transect source add --json p", "transect source add --json panel.store/"),
        # All names of the directory and no option, so that nothing is typed.
        ("transect info ", "transect info"),
        ("transect transpose panel.store out ", "transect transpose panel.store out"),
        # Options, commands, and words of an option.
        ("transect info --js", "transect info --json"),
        ("transect gen", "transect generate"),
        ("transect build --input a", "transect build --input arrow"),
        ("transect generate completions z", "transect generate completions zsh"),
        # Lists.
        ("transect transpose panel.store out --stocks @l", "transect transpose panel.store out --stocks @lists/"),
        ("transect transpose p out --dates=@lists/", "transect transpose p out --dates=@lists/my\\ codes.txt"),
        ("transect show panel.store --stock @p", "transect show panel.store --stock @panel.store/"),
    ],
)
def test_bash_completes_files_and_offers_options_where_one_begins(place, line, whole):
    assert completed(place, line) == whole
