extension Report {
    /// How much of the report is printed, and how.
    package struct TextStyle: Sendable {
        package var colour: Bool
        /// Whether all that was seen is printed also where nothing is wrong.
        package var verbose: Bool
        /// What lines without a finding are cut to.
        package var width: Int

        package init(colour: Bool = false, verbose: Bool = false, width: Int = 120) {
            self.colour = colour
            self.verbose = verbose
            self.width = width
        }
    }

    /// The report for a reader: the answer first, then every check. Checks that are skipped one after the other
    /// for the same reason share a line.
    package func text(_ style: TextStyle) -> String {
        var lines = [bold(summary, style), ""]
        let width = checks.map(\.id.count).max() ?? 0
        var rest = checks[...]
        while let check = rest.first {
            let group =
                check.status == .skip ? rest.prefix { $0.status == .skip && $0.summary == check.summary } : []
            if group.count > 1 {
                let names = group.map(\.id).joined(separator: ", ")
                lines += wrapped("\(names): \(check.summary)", style).enumerated().map { index, line in
                    "\(index == 0 ? word(.skip, style) : "    ")  \(line)"
                }
                rest = rest.dropFirst(group.count)
            } else {
                lines += text(check, idWidth: width, style)
                rest = rest.dropFirst()
            }
        }
        return lines.joined(separator: "\n")
    }

    private func text(_ check: Check, idWidth: Int, _ style: TextStyle) -> [String] {
        let margin = String(repeating: " ", count: 8 + idWidth)
        let name = check.id + String(repeating: " ", count: idWidth - check.id.count)
        let head = "\(word(check.status, style))  \(name)  \(check.summary)"
        let evidence = check.evidence.split(separator: "\n")
        if !style.verbose, check.status == .ok || check.status == .skip {
            // Nothing to do here: one line.
            let room = style.width - margin.count - check.summary.count - 3
            guard let first = evidence.first, room > 16 else { return [head] }
            let text = first.count <= room ? "\(first)" : first.prefix(room - 1) + "…"
            return [head + "  " + dim(text, style)]
        }
        return [head] + evidence.map { "\(margin)\(dim("seen: \($0)", style))" }
            + check.remedy.split(separator: "\n").map { "\(margin)try:  \($0)" }
    }

    /// Words in lines of the style's width.
    private func wrapped(_ text: String, _ style: TextStyle) -> [String] {
        var lines = [""]
        for word in text.split(separator: " ") {
            if !lines[lines.count - 1].isEmpty, lines[lines.count - 1].count + word.count > style.width - 8 {
                lines.append("")
            }
            lines[lines.count - 1] += (lines[lines.count - 1].isEmpty ? "" : " ") + word
        }
        return lines
    }

    private func word(_ status: Check.Status, _ style: TextStyle) -> String {
        let text = status.rawValue + String(repeating: " ", count: 4 - status.rawValue.count)
        let code =
            switch status {
            case .ok: "32"
            case .warn: "33"
            case .fail: "1;31"
            case .skip: "90"
            }
        return paint(text, code, style)
    }

    private func bold(_ text: String, _ style: TextStyle) -> String { paint(text, "1", style) }

    private func dim(_ text: String, _ style: TextStyle) -> String { paint(text, "90", style) }

    private func paint(_ text: String, _ code: String, _ style: TextStyle) -> String {
        style.colour ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text
    }
}
