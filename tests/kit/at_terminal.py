"""Runs a program at a terminal of its own, as a person would have it.

at_terminal.py TURNS PROGRAM...

TURNS is JSON: a list of pairs, what is waited for and what is typed then. All that is shown goes to
standard output; the exit code is the program's.
"""
import json
import os
import pty
import select
import sys
import time

PATIENCE = 60


def main():
    turns = json.loads(sys.argv[1])
    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = "dumb"
        os.execvp(sys.argv[2], sys.argv[2:])
    since, shown, seen = time.monotonic(), "", 0
    while True:
        if time.monotonic() - since > PATIENCE:
            print(f"{shown}\nnever shown: {turns[0][0] if turns else 'the end'!r}")
            os.kill(child, 9)
            return 99
        ready, _, _ = select.select([terminal], [], [], 0.1)
        if ready:
            try:
                piece = os.read(terminal, 65536)
            except OSError:
                piece = b""
            if not piece:
                break
            shown += piece.decode(errors="replace")
        if turns and turns[0][0] in shown[seen:]:
            seen = len(shown)
            os.write(terminal, turns.pop(0)[1].encode())
    _, status = os.waitpid(child, 0)
    sys.stdout.write(shown)
    return os.waitstatus_to_exitcode(status) % 256


sys.exit(main())
