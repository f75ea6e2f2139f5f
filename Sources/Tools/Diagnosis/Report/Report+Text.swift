extension Report {
    /// How much of the report is printed.
    package struct TextStyle: Sendable {
        package var colour: Bool
        /// Lines of evidence for a check that is all right; nil for all.
        package var evidenceLimit: Int?

        package init(colour: Bool = false, evidenceLimit: Int? = 2) {
            self.colour = colour
            self.evidenceLimit = evidenceLimit
        }
    }

    /// The report for a reader: the answer first, then every check. Checks that are skipped one after the other
    /// for the same reason share a line.
    package func text(_ style: TextStyle) -> String {
        var lines = [bold(summary, style)]
        for check in failures {
            lines += check.remedy.split(separator: "\n").map { "  try: \($0)" }
        }
        lines.append("")
        let width = checks.map(\.id.count).max() ?? 0
        var rest = checks[...]
        while let check = rest.first {
            let group = check.status == .skip ? rest.prefix { $0.status == .skip && $0.summary == check.summary } : []
            if group.count > 1 {
                let names = group.map(\.id).joined(separator: ", ")
                lines.append("\(word(.skip, style))  \(names): \(check.summary)")
                rest = rest.dropFirst(group.count)
            } else {
                lines += text(check, width: width, style)
                rest = rest.dropFirst()
            }
        }
        return lines.joined(separator: "\n")
    }

    private func text(_ check: Check, width: Int, _ style: TextStyle) -> [String] {
        let margin = String(repeating: " ", count: 8 + width)
        let name = check.id + String(repeating: " ", count: width - check.id.count)
        var lines = ["\(word(check.status, style))  \(name)  \(check.summary)"]
        let evidence = check.evidence.split(separator: "\n")
        var shown = evidence[...]
        if check.status == .ok || check.status == .skip, let limit = style.evidenceLimit {
            shown = evidence.prefix(limit)
        }
        lines += shown.map { "\(margin)\(dim("seen: \($0)", style))" }
        if shown.count < evidence.count {
            lines.append("\(margin)\(dim("and \(evidence.count - shown.count) more, see --report", style))")
        }
        lines += check.remedy.split(separator: "\n").map { "\(margin)try:  \($0)" }
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
