"""What the command line ends with, for scripts."""

FINE = 0
WRONG = 1
USAGE = 2
NOT_ALL = 3
HELD = 4
AWAY = 5
INTERRUPTED = 130

MEANINGS = {
    FINE: "What was asked for is done. After `watch`: every item succeeded.",
    WRONG: "The service refuses, or something else is wrong. Standard error says what.",
    USAGE: "What was typed has to be changed first: nothing was sent, or nothing was submitted.",
    NOT_ALL: "A job has ended, and not every item succeeded: `completed_with_errors`, `cancelled`, `failed`.",
    HELD: "A job is held: a `watch` with `--until-held` ended for that, or a `resume` brings no money.",
    AWAY: "The service does not answer, or says that it can't now. The same command may work later.",
    INTERRUPTED: "Ctrl-C. A job that was watched goes on.",
}
