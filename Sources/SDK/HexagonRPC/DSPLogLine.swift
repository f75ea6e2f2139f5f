import Logging

/// A line of a DSP's log, with its level where the line tells it.
///
/// The firmware sends text only. Lines of `FARF` name their level in capital letters near the beginning; a
/// line that names none is `info`.
struct DSPLogLine {
    let text: String

    var level: Logger.Level {
        for word in text.prefix(160).split(whereSeparator: { !($0.isLetter || $0 == "_") }) {
            switch word {
            case "FATAL": return .critical
            case "ERROR", "ERR": return .error
            case "WARN", "WARNING": return .warning
            case "HIGH", "ALWAYS": return .notice
            case "MEDIUM": return .info
            case "LOW": return .debug
            default: continue
            }
        }
        return .info
    }

    /// The lines of a message, without empty ones.
    static func lines(_ message: String) -> [DSPLogLine] {
        message.split(whereSeparator: \.isNewline).map { DSPLogLine(text: String($0)) }
    }
}
