import Foundation
import Glibc

/// Reads questions from standard input.
struct ChatInput {
    /// What was read.
    enum Entry {
        /// A line, or several that belong together.
        case text(String)
        /// There is no more.
        case end
        /// Ctrl-C.
        case interrupted
    }

    /// Whether somebody types.
    let isInteractive = isatty(STDIN_FILENO) == 1
    private var buffer: [UInt8] = []
    private var isAtEnd = false

    /// The next question or command; empty lines are passed over.
    mutating func read() -> Entry {
        while true {
            switch readLine(prompt: "> ") {
            case .text(let line):
                let line = line.hasSuffix("\r") ? String(line.dropLast()) : line
                guard line.contains(where: { !$0.isWhitespace }) else { continue }
                return readRest(of: line)
            case let other: return other
            }
        }
    }

    /// The lines that belong to a first one.
    private mutating func readRest(of first: String) -> Entry {
        let quotes = "\"\"\""
        var lines: [String] = []
        if first.hasPrefix(quotes) {
            var line = String(first.dropFirst(quotes.count))
            while !line.hasSuffix(quotes) {
                lines.append(line)
                switch readLine(prompt: "… ") {
                case .text(let next): line = next
                case .end: return .text(lines.joined(separator: "\n"))
                case .interrupted: return .interrupted
                }
            }
            lines.append(String(line.dropLast(quotes.count)))
            return .text(lines.joined(separator: "\n"))
        }
        var line = first
        while line.hasSuffix("\\") {
            lines.append(String(line.dropLast()))
            switch readLine(prompt: "… ") {
            case .text(let next): line = next
            case .end: return .text(lines.joined(separator: "\n"))
            case .interrupted: return .interrupted
            }
        }
        return .text((lines + [line]).joined(separator: "\n"))
    }

    private mutating func readLine(prompt: String) -> Entry {
        if isInteractive { show(prompt) }
        while true {
            if let end = buffer.firstIndex(of: 0x0a) {
                defer { buffer.removeFirst(end + 1) }
                return .text(String(decoding: buffer[..<end], as: UTF8.self))
            }
            if isAtEnd {
                guard !buffer.isEmpty else { return .end }
                defer { buffer = [] }
                return .text(String(decoding: buffer, as: UTF8.self))
            }
            guard waitForInput() else { return .interrupted }
            var chunk = [UInt8](repeating: 0, count: 1 << 16)
            let count = Glibc.read(STDIN_FILENO, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            // A terminal's end of input can be followed by more, which nobody waits for.
            isAtEnd = count <= 0
            buffer += chunk[..<max(count, 0)]
        }
    }

    /// Waits until there is something to read; false where Ctrl-C comes first.
    private func waitForInput() -> Bool {
        while !Interrupt.isRequested {
            var descriptors = [STDIN_FILENO, Interrupt.descriptor].map {
                pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
            }
            let count = poll(&descriptors, nfds_t(descriptors.count), -1)
            if count < 0 && errno != EINTR { return true }
            if count > 0, descriptors[0].revents != 0 { return !Interrupt.isRequested }
        }
        return false
    }

    private func show(_ prompt: String) {
        let isColoured =
            isatty(STDERR_FILENO) == 1 && (ProcessInfo.processInfo.environment["NO_COLOR"] ?? "").isEmpty
        let text = isColoured ? "\u{1b}[1m\(prompt)\u{1b}[0m" : prompt
        writeAll(text, to: STDERR_FILENO)
    }
}
