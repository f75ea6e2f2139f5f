import ChatTemplate
import Foundation
import Testing
import TestSupport

/// Jinja in Python, in an environment like the one of transformers.
enum TemplateWitness {
    /// The time of `strftime_now`.
    static let time = 1_753_617_600

    struct Case {
        var template: Int
        var variables: [JSONValue.Member]
    }

    /// What became of a case: a text, or nil where it is an error.
    static func results(_ templates: [String], _ cases: [Case]) throws -> [String?] {
        let folder = try TemporaryFolder()
        let input = JSONValue.object([
            "templates": .array(templates.map(JSONValue.string)),
            "cases": .array(
                cases.map {
                    .object(["template": .integer($0.template), "variables": .object($0.variables)])
                }),
        ])
        let path = try folder.write(Array(input.text().utf8), to: "cases.json")
        try PythonWitness.runWitness("chat_templates.py", [path, folder.path("results.json"), "\(time)"])
        let output = try String(contentsOfFile: folder.path("results.json"), encoding: .utf8)
        return try #require(try JSONValue(json: output).array).map { $0["text"]?.string }
    }

    /// Ours, or the error.
    static func render(_ template: String, _ variables: [JSONValue.Member]) -> Result<
        String, ChatTemplateError
    > {
        do throws(ChatTemplateError) {
            let template = try ChatTemplate(template)
            let named = Dictionary(variables.map { ($0.name, $0.value) }) { $1 }
            return .success(try template.render(named, time: time).map(\.text).joined())
        } catch {
            return .failure(error)
        }
    }

    /// A file beside the witness.
    static func file(_ name: String) throws -> String {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        return try String(
            contentsOf: folder.appendingPathComponent("../Witness/" + name).standardizedFileURL,
            encoding: .utf8)
    }

    /// Small templates for each construct, filter, test and edge of white space.
    static func snippets() throws -> [String] {
        let written = try file("chat-snippets.txt").components(separatedBy: "\n---\n")
        // With characters that are not to be in a file of the package.
        let special = [
            "line1\r\n{% if true %}\r\n  x\r\n{% endif %}\r\nend\r\n", "a\rb{# x #}\r\n\r\n",
            "\t{% if true %}\t\ntab\n\t{% endif %}\t\nx", "{{ 'a\tb' }}\t{{ \"x\" }}",
            "\u{a0} {%- if true %}\u{2003}x\u{85}{%- endif %} \u{a0}y", "{{ 'a\u{a0} b\u{2003}c'.split() }}",
            "{{ 'x\u{1}y\u{7f}'|tojson }}{{ ['\u{200b}\u{1F600}\u{7f}'] }}", "\u{feff}{{ 1 }}",
        ]
        return (written + special).flatMap { [$0, $0.trimmingCharacters(in: .newlines), $0 + "\n"] }
    }

    /// What the snippets can name.
    static func snippetVariables() throws -> [JSONValue.Member] {
        let text = #"""
            {"messages": [{"role": "user", "content": "Hello <b> wörld "}, {"role": "assistant", "content": "x"}],
            "flag": true, "n": 3, "f": 2.0, "nothing": null, "obj": {"a": {"b": [1, 2, {"c": null}]}, "q": "it's"},
            "s": "añ😀"}
            """#
        guard case .object(let members) = try JSONValue(json: text) else { return [] }
        return members
    }

    /// Conversations of every shape, each with and without a prompt for the answer and tools.
    static func conversations() throws -> [[JSONValue.Member]] {
        let file = try JSONValue(json: try file("chat-conversations.json"))
        let settings = file["settings"]?.array ?? []
        var variables: [[JSONValue.Member]] = []
        for conversation in file["conversations"]?.array ?? [] {
            for prompts in [true, false] {
                for tools in [JSONValue.null, file["tools"] ?? .null, .array([]), nil] {
                    var members = [
                        JSONValue.Member("messages", conversation),
                        .init("add_generation_prompt", .boolean(prompts)),
                        .init("bos_token", "<s>"), .init("eos_token", "</s>"),
                    ]
                    if let tools { members += [.init("tools", tools), .init("documents", .null)] }
                    // Each in turn.
                    if case .object(let more)? = settings.isEmpty
                        ? nil : settings[variables.count % settings.count]
                    {
                        members =
                            members.filter { member in !more.contains { $0.name == member.name } } + more
                    }
                    variables.append(members)
                }
            }
        }
        return variables
    }
}

extension Trait where Self == ConditionTrait {
    /// Runs the test only where Python has Jinja.
    static var needsJinja: Self {
        .enabled(
            if: PythonWitness.has("jinja2"),
            "needs Python with jinja2 (set HEXAGONRPC_PYTHON to such an interpreter)")
    }
}
