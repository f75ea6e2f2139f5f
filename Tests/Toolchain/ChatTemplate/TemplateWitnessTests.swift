import ChatTemplate
import Foundation
import Testing
import TestSupport

/// Our templates against Python's.
@Suite struct TemplateWitnessTests {
    /// Compares cases; what is an error there must be one here.
    private func compare(_ templates: [String], _ cases: [TemplateWitness.Case]) throws -> Int {
        let expected = try TemplateWitness.results(templates, cases)
        try #require(expected.count == cases.count)
        var rendered = 0
        for (item, expected) in zip(cases, expected) {
            let template = templates[item.template]
            switch (TemplateWitness.render(template, item.variables), expected) {
            case (.success(let text), let expected?):
                rendered += 1
                if text != expected || !text.utf8.elementsEqual(expected.utf8) {
                    Issue.record("\(template)\n\(item.variables)\nours: \(text)\nJinja's: \(expected)")
                }
            case (.failure, nil): break
            case (.success(let text), nil):
                Issue.record("\(template)\n\(item.variables)\nan error in Jinja, ours: \(text)")
            case (.failure(let error), let expected?):
                Issue.record("\(template)\n\(item.variables)\nours: \(error)\nJinja's: \(expected)")
            }
        }
        return rendered
    }

    @Test(.needsJinja) func snippets() throws {
        let snippets = try TemplateWitness.snippets()
        let variables = try TemplateWitness.snippetVariables()
        let rendered = try compare(
            snippets, snippets.indices.map { TemplateWitness.Case(template: $0, variables: variables) })
        #expect(rendered > 300)
    }

    @Test(.needsJinja, .needsSharedData) func publishedTemplates() throws {
        let files = SharedData.files(in: "chat-templates", suffix: ".jinja")
        let templates = try files.map { String(decoding: try SharedData.contents($0), as: UTF8.self) }
        let conversations = try TemplateWitness.conversations()
        let rendered = try compare(
            templates,
            templates.indices.flatMap { template in
                conversations.map { TemplateWitness.Case(template: template, variables: $0) }
            })
        #expect(rendered > templates.count * conversations.count / 2)
    }

    /// Templates that somebody has damaged: an error or Jinja's text, never a trap and nothing that does not end.
    @Test(.needsJinja) func damagedTemplates() throws {
        var random = SeededGenerator(8)
        let snippets = try TemplateWitness.snippets()
        let published = try SharedData.files(in: "chat-templates", suffix: ".jinja").map {
            String(decoding: try SharedData.contents($0), as: UTF8.self)
        }
        let snippetVariables = try TemplateWitness.snippetVariables()
        let conversations = try TemplateWitness.conversations()
        var templates: [String] = []
        var cases: [TemplateWitness.Case] = []
        for number in 0..<1200 {
            let isPublished = number % 4 == 0 && !published.isEmpty
            let source = (isPublished ? published : snippets)[
                Int.random(in: 0..<(isPublished ? published : snippets).count, using: &random)]
            templates.append(Self.damaged(source, &random))
            let variables =
                isPublished
                ? conversations[Int.random(in: 0..<conversations.count, using: &random)] : snippetVariables
            cases.append(TemplateWitness.Case(template: number, variables: variables))
        }
        var agreed = 0
        for (item, expected) in zip(cases, try TemplateWitness.results(templates, cases)) {
            guard case .success(let text) = TemplateWitness.render(templates[item.template], item.variables),
                let expected, !expected.contains(" at 0x")
            else { continue }
            agreed += 1
            if !text.utf8.elementsEqual(expected.utf8) {
                Issue.record("\(templates[item.template])\nours: \(text)\nJinja's: \(expected)")
            }
        }
        #expect(agreed > 100)
    }

    private static let parts = [
        "{{", "}}", "{%", "%}", "{#", "#}", "-%}", "{%-", "+%}", " if ", " else ", "endif", "for ", "|upper",
        "|length", "|tojson", "[0]", "[1:]", ".x", "(", ")", "[", "]", "{", "}", "'", "\"", "\\", "\n", " ",
        "not ",
        "is ", "in ", "none", "true", "~", "+", "*", "//", "%", "loop.index", "raise_exception('x')",
        "messages",
        "1", "-1", "2.5", "'a'", "|list", "|join(',')", "=", "==", "set ", "macro m() ", "endmacro", "break",
        "raw",
        "continue", "endraw", ",", ":", ";", "é", "\t", "\r\n",
    ]

    private static func damaged(_ source: String, _ random: inout SeededGenerator) -> String {
        var scalars = Array(source.unicodeScalars)
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let start = Int.random(in: 0...scalars.count, using: &random)
            let end = min(start + Int.random(in: 1...8, using: &random), scalars.count)
            let part = Array(parts[Int.random(in: 0..<parts.count, using: &random)].unicodeScalars)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: scalars.removeSubrange(start..<end)
            case 1: scalars.insert(contentsOf: part, at: start)
            case 2: scalars.insert(contentsOf: scalars[start..<end], at: end)
            default: scalars.replaceSubrange(start..<end, with: part)
            }
        }
        return String(String.UnicodeScalarView(scalars))
    }
}
