/// The udev rules of the machine, as far as they concern a device.
struct UdevRules {
    let machine: Machine

    /// In order of precedence: a file hides those of the same name in later folders.
    private static let folders = [
        "/etc/udev/rules.d", "/run/udev/rules.d", "/usr/lib/udev/rules.d", "/lib/udev/rules.d",
    ]

    /// The lines that mention a word, as `file:line: text`, in the order in which udev reads the files.
    func lines(mentioning word: String) -> [String] {
        var files: [String: String] = [:]
        for folder in Self.folders {
            for name in machine.list(folder) where name.hasSuffix(".rules") && files[name] == nil {
                files[name] = "\(folder)/\(name)"
            }
        }
        return files.sorted { $0.key < $1.key }.flatMap { _, path in
            let text = machine.text(path) ?? ""
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            return lines.enumerated().compactMap { number, line -> String? in
                let content = line.drop { $0 == " " || $0 == "\t" }
                guard !content.hasPrefix("#"), content.contains(word) else { return nil }
                return "\(path):\(number + 1): \(content)"
            }
        }
    }
}
