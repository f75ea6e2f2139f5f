import Engine
import Glibc

/// Shows on standard error which tensor is worked on: on a terminal in one line that changes, elsewhere a line for each.
struct QuantizationProgress {
    private let isTerminal = isatty(STDERR_FILENO) == 1

    /// Runs `body` with a function that shows progress; the terminal's line is gone afterwards.
    func during<Result>(_ body: ((ModelQuantizer.Step) -> Void) throws -> Result) throws -> Result {
        defer { if isTerminal { printStatus("") } }
        return try body { step in
            guard isTerminal else {
                if step.progress == 0 { printError(Quantize.line(step)) }
                return
            }
            printStatus("\(Quantize.line(step)), \(Int(step.progress * 100)) %")
        }
    }

    /// Replaces the line; what does not fit is cut, as it could not be replaced.
    private func printStatus(_ text: String) {
        var size = winsize()
        let isKnown = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
        let width = isKnown ? Int(size.ws_col) : 80
        printErrorText("\r\u{1b}[K\(text.prefix(width - 1))")
    }
}
