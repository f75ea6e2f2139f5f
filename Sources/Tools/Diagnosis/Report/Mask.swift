import Foundation

/// Replaces what says whose machine this is: users, home folders, the machine's name, serial numbers, addresses.
package struct Mask {
    /// Words to replace, longest first, and by what.
    private let words: [(word: String, by: String)]

    /// Names that say nothing about a person: they come with a system or a board, and may be parts of paths.
    private static let commonNames: Set<String> = [
        "root", "nobody", "user", "users", "render", "video", "fastrpc", "nogroup", "ubuntu", "debian",
        "radxa",
        "rock", "pi", "arduino", "android", "shell", "system", "localhost", "admin", "guest",
    ]

    /// Files of which each line is a number of this very machine.
    private static let serialFiles = [
        "/sys/firmware/devicetree/base/serial-number", "/sys/devices/soc0/serial_number",
        "/sys/class/dmi/id/product_serial", "/sys/class/dmi/id/board_serial",
        "/sys/class/dmi/id/product_uuid",
        "/etc/machine-id",
    ]

    package init(machine: Machine) {
        var words: [String: String] = [:]
        func add(_ word: String, _ by: String, minimum: Int = 2) {
            guard word.count >= minimum, !Self.commonNames.contains(word) else { return }
            words[word] = words[word] ?? by
        }
        let environment = machine.environment
        for file in Self.serialFiles {
            for line in machine.lines(file) {
                add(line.trimmingCharacters(in: .whitespaces), "SERIAL", minimum: 4)
            }
        }
        for line in machine.lines("/proc/cpuinfo") where line.hasPrefix("Serial") {
            add(
                String(line.split(separator: ":").last ?? "").trimmingCharacters(in: .whitespaces), "SERIAL",
                minimum: 4)
        }
        for name in [machine.user.name] + ["USER", "LOGNAME", "SUDO_USER"].compactMap({ environment[$0] }) {
            add(name, "USER")
        }
        for name in machine.list("/home") { add(name, "USER") }
        // People, not services.
        for line in machine.lines("/etc/passwd") {
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            guard fields.count > 5, let id = Int(fields[2]), (1000..<60000).contains(id) else { continue }
            add(String(fields[0]), "USER")
            add(String(fields[4].split(separator: ",").first ?? ""), "NAME", minimum: 4)
            if fields[5] != "/" { add(String(fields[5]), "/home/USER") }
        }
        if let home = environment["HOME"], home != "/", home != "/root" { add(home, "/home/USER") }
        for name in [
            machine.text("/proc/sys/kernel/hostname"), machine.text("/etc/hostname"), environment["HOSTNAME"],
        ] {
            guard let name = name?.trimmingCharacters(in: .whitespacesAndNewlines) else { continue }
            add(name, "HOST")
            add(String(name.split(separator: ".").first ?? ""), "HOST")
        }
        self.words = words.map { ($0.key, $0.value) }.sorted {
            $0.word.count != $1.word.count ? $0.word.count > $1.word.count : $0.word < $1.word
        }
    }

    /// The text without them.
    package func apply(_ text: String) -> String {
        var text = words.reduce(text) { Self.replace($1.word, by: $1.by, in: $0) }
        for (pattern, by) in Self.patterns { text.replace(pattern, with: by) }
        return text
    }

    // Home folders of anybody, serial numbers of kernel command lines, hardware and network addresses, mail.
    private nonisolated(unsafe) static let patterns: [(Regex<Substring>, String)] = [
        (/\/(?:home|Users)\/(?!USER)[^\/\s:;,'")]+/, "/home/USER"),
        (/(?:serialno|serial_number|serial)[=:]\s*(?!SERIAL)[A-Za-z0-9]{4,}/, "serial=SERIAL"),
        (/\b(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}\b/, "ADDRESS"),
        (/\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b/, "ADDRESS"),
        (/[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+/, "MAIL"),
    ]

    /// Replaces a word where it is not part of a longer one.
    private static func replace(_ word: String, by replacement: String, in text: String) -> String {
        var result = ""
        var rest = text[...]
        while let range = rest.firstRange(of: word) {
            let before =
                range.lowerBound == text.startIndex ? nil : text[text.index(before: range.lowerBound)]
            let after = range.upperBound == text.endIndex ? nil : text[range.upperBound]
            let isWord = !Self.continues(before) && !Self.continues(after)
            result += rest[..<range.lowerBound] + (isWord ? replacement : word)
            rest = rest[range.upperBound...]
        }
        return result + rest
    }

    private static func continues(_ character: Character?) -> Bool {
        character.map { $0.isLetter || $0.isNumber } ?? false
    }
}
