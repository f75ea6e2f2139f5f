import ChatTemplate
import Testing

@Suite struct ChatTemplateTests {
    private func render(_ source: String, _ variables: [String: JSONValue] = [:]) throws -> String {
        try ChatTemplate(source).render(variables, time: 0).map(\.text).joined()
    }

    /// The error of a template that must have one.
    private func error(_ source: String, _ variables: [String: JSONValue] = [:]) throws -> ChatTemplateError {
        try #require(throws: ChatTemplateError.self) { _ = try render(source, variables) }
    }

    private let messages = JSONValue.array([
        .object(["role": "system", "content": "Be brief."]),
        .object(["role": "user", "content": "Hi <|end|>"]),
    ])

    @Test func rendersAConversation() throws {
        let source = """
            {% for message in messages %}
            {{- '<|' + message.role + '|>' + message.content | trim + '<|end|>\n' }}
            {%- endfor %}
            {% if add_generation_prompt %}
            {{ '<|assistant|>' }}
            {%- endif %}
            """
        #expect(
            try render(source, ["messages": messages, "add_generation_prompt": .boolean(true)])
                == "<|system|>Be brief.<|end|>\n<|user|>Hi <|end|><|end|>\n<|assistant|>")
    }

    /// What a user says is told apart from what the template says, through whatever is done to it.
    @Test func piecesKnowWhatIsContent() throws {
        let source =
            "{% for m in messages %}<|{{ m.role }}|>{{ m['content'].replace('brief', 'short')|upper }}{% endfor %}."
        let pieces = try ChatTemplate(source).render(["messages": messages])
        let expected: [(String, Bool)] = [
            ("<|system|>", false), ("BE ", true), ("SHORT", false), (".", true), ("<|user|>", false),
            ("HI <|END|>", true), (".", false),
        ]
        #expect(pieces.map(\.text) == expected.map(\.0))
        #expect(pieces.map(\.isContent) == expected.map(\.1))
        let json = try ChatTemplate("{{ messages|tojson }}{{ messages[0]|string }}").render([
            "messages": messages
        ])
        #expect(!json.contains { !$0.isContent && $0.text.contains("brief") })
    }

    @Test func errorsNameTheLine() throws {
        #expect(try error("a\nb\n{{ x.y }}").description == "line 3: 'x' is undefined")
        #expect(try error("a\n{% if %}").line == 2)
        #expect(try error("{{ 1 }}\n{% for x in [1] %}\n{{ x|nothing }}{% endfor %}").line == 3)
        let raised = try error("\n\n{{ raise_exception('no ' ~ 'way') }}")
        #expect(raised.isRaised && raised.line == 3 && raised.problem == "no way")
        #expect(try error("{{ 'a' + 1 }}").isRaised == false)
    }

    @Test(arguments: [
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "{{ 'a' * 99999999999 }}", "{{ [1] * 9999999 * 9999999 }}", "{{ range(10 ** 18) }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x=[]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x == 1 }}",
        "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}",
        "{% set ns = namespace(s='a') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(s='a') %}{% for i in range(99) %}{% set ns.s = ns.s.replace('a', 'aaaa') %}{% endfor %}",
        "{{ '%99999999999d' % 1 }}", "{{ 'a'.center(10 ** 15) }}", "{{ 'a'|indent(10 ** 15, true) }}",
        "{{ '{:999999999}'.format('a') }}", "{{ 2 ** 64 }}", "{{ -9223372036854775807 - 2 }}",
        "{{ (-9223372036854775807 - 1) // -1 }}", "{{ 'x'[:: -9223372036854775807 - 1][5:] ~ (1 // 0) }}",
        "{{ range(-9223372036854775807, 9223372036854775807) }}", "{{ 99999999999999999999 }}",
        "{{ [1, 2][::-9223372036854775807 - 1] + 1 }}",
    ])
    func boundsHold(_ source: String) throws {
        _ = try error(source)
    }

    /// Nesting of every kind, by the hundred thousand.
    @Test(arguments: [
        ("(", "1", ")"), ("[", "", "]"), ("not ", "1", ""), ("-", "1", ""), ("{'a': ", "1", "}"),
        ("1 + ", "1", ""),
        ("1 if ", "1", " else 1"), ("x", "", ".a"), ("x", "", "|upper"), ("x", "", "[0]"), ("f(", "", ")"),
        ("1 ** ", "1", ""), ("1 and ", "1", ""), ("a ~ ", "1", ""), ("x", "", " is defined"),
    ])
    func deepExpressions(_ part: (String, String, String)) {
        let depth = 100_000
        for (open, close) in [(depth, depth), (depth, 0), (0, depth)] {
            let inner =
                String(repeating: part.0, count: open) + part.1 + String(repeating: part.2, count: close)
            // Whatever it is, it ends.
            _ = try? render("{{ \(inner) }}")
        }
    }

    @Test func deepStatements() {
        for name in ["if x", "for x in y", "macro m()", "filter upper", "with", "call m()", "generation"] {
            _ = try? render(String(repeating: "{% \(name) %}", count: 50_000))
        }
        _ = try? render(String(repeating: "{% if x %}{% elif y %}", count: 50_000))
    }

    /// The deepest that is allowed has room, on a small stack, too.
    @Test func depthFits() throws {
        let nested = String(repeating: "[", count: 90) + String(repeating: "]", count: 90)
        #expect(try render("{{ \(nested) }}") == nested)
        let macro =
            "{% macro m(n) %}{% if n > 0 %}{% for i in [1] %}{{ m(n - 1) }}{% endfor %}{% endif %}.{% endmacro %}"
        #expect(try render(macro + "{{ m(40) }}") == String(repeating: ".", count: 41))
    }

    @Test func json() throws {
        let text =
            #"{"b": [1, -2.5, 1e3, true, false, null], "a": {"é\"\n": "\ud83d\ude00\u0041"}, "b2": []}"#
        let value = try JSONValue(json: text)
        #expect(value["b"]?.array?.count == 6)
        #expect(value["a"]?["é\"\n"] == "😀A")
        #expect(try JSONValue(json: value.text()) == value)
        #expect(try JSONValue(json: value.text(isIndented: true)) == value)
        let bad = [
            "", "{", "[1,]", "{\"a\" 1}", "\"\u{1}\"", "01", "1.", "tru", "[1] 2", "\"\\x\"", "\"abc",
            "{\"a\":1,}",
            "-", "1e", String(repeating: "[", count: 100_000),
        ]
        for text in bad { #expect(throws: JSONError.self) { try JSONValue(json: text) } }
    }
}
