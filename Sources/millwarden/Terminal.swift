import CLinux
import Reporting

/// Writes to standard output, whole; ends the program quietly where nobody reads any more.
func say(_ text: String, terminator: String = "\n") {
    write(text + terminator, to: STDOUT_FILENO)
}

extension TextStyle {
    /// For standard output: colours on a terminal that has them, unless `NO_COLOR` is set (no-color.org).
    static var terminal: TextStyle {
        let isUnwanted = unsafe getenv("NO_COLOR") != nil
        let isColored = isTerminal(STDOUT_FILENO) && !isUnwanted
        return TextStyle(width: 80, isColored: isColored)
    }
}

/// One line on standard error, under the program's name.
func complain(_ sentence: String) {
    write("millwarden: " + sentence + "\n", to: STDERR_FILENO)
}

func leave(_ status: Int32) -> Never { exit(status) }

func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

private func write(_ text: String, to descriptor: Int32) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
        let count = unsafe rest.withUnsafeBytes { unsafe CLinux.write(descriptor, $0.baseAddress, $0.count) }
        if count > 0 {
            rest = rest.dropFirst(count)
        } else if mw_errno() == EPIPE {
            leave(ExitStatus.ok)
        } else if mw_errno() != EINTR {
            leave(ExitStatus.io)
        }
    }
}
