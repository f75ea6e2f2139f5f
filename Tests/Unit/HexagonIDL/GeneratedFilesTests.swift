import Foundation
import HexagonIDL
import Testing

@Suite("Generated files")
struct GeneratedFilesTests {
    @Test("The files generated from htp.idl are what the compiler generates today")
    func htp() throws {
        let idl = Repository.root.appendingPathComponent("IDL/htp.idl").path
        let unit = try IDLCompiler { FileManager.default.contents(atPath: $0).map(Array.init) }.compile(idl)
        #expect(unit.warnings.isEmpty)
        #expect(
            try SwiftStub.generate(unit, name: "HTP", importing: "RemoteCalls")
                == Repository.text("Sources/HTP/HTPInterface/HTP.swift"))
        #expect(try CHeader.generate(unit) == Repository.text("Sources/HTP/HTPProgram/include/htp.h"))
        #expect(try CSkel.generate(unit) == Repository.text("Sources/HTP/HTPProgram/htp_skel.c"))
    }

    @Test(
        "The stubs that these tests call are what the compiler generates today",
        arguments: [
            (WorkedExamples.flat, "worked.idl", "Worked"), (WorkedExamples.nested, "nested.idl", "Nested"),
        ])
    func worked(text: String, file: String, name: String) throws {
        let unit = try IDLCompiler.compile(text: text + "\n", path: file)
        #expect(
            try SwiftStub.generate(unit, name: name, importing: "RemoteCalls")
                == Repository.text("Tests/Unit/HexagonIDL/\(name)ExamplesStub.swift"))
    }

    @Test("The description is JSON with every method and field")
    func description() throws {
        let unit = try IDLCompiler.compile(text: WorkedExamples.nested)
        let text = try JSONDescription.generate(unit)
        let root = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        #expect(root["version"] as? Int == 2)
        let interface = try #require((root["interfaces"] as? [[String: Any]])?.first)
        let methods = try #require(interface["methods"] as? [[String: Any]])
        #expect(methods.map { $0["name"] as? String }.prefix(4) == ["open", "close", "deep", "wrap"])
        #expect(methods.map { $0["index"] as? Int } == Array(0..<methods.count))
        let wrap = methods[3]
        #expect(wrap["scalars"] as? String == "0x03020200")
        let primitives = try #require((wrap["out"] as? [[String: Any]])?.first)
        #expect(primitives["size"] as? Int == 9)
        let fields = try #require(primitives["fields"] as? [[String: Any]])
        #expect(fields.map { $0["offset"] as? Int } == [0, 8])
        #expect(fields.map { $0["alignment"] as? Int } == [4, 1])
        #expect(fields.map { $0["part"] as? String } == ["rout_scalars", nil])
        // The numbers of buffers follow from the rule: worked example 16, two and three elements.
        let deep = methods[2]
        let counts = try #require(deep["counts"] as? [String: Any])
        func buffers(_ direction: String, _ elements: [String: Int]) throws -> Int {
            let rule = try #require(counts[direction] as? [String: Any])
            let each = try #require(rule["per_element"] as? [[String: Any]])
            return try each.reduce(try #require(rule["fixed"] as? Int)) { sum, item in
                sum + (elements[try #require(item["of"] as? String)] ?? 0) * (item["count"] as? Int ?? 0)
            }
        }
        let elements = ["a[]": 2, "a[].a[]": 3, "b[]": 2, "b[].a[]": 3]
        #expect(try buffers("in", elements) == 10 && buffers("out", elements) == 6)
        let handles = methods[5]
        let slots = try #require((handles["counts"] as? [String: Any])?["in_handles"] as? [String: Any])
        #expect(slots["fixed"] as? Int == 1)
        #expect((slots["per_element"] as? [[String: Any]])?.first?["of"] as? String == "c[]")
    }

    @Test("The stub's name follows the file's")
    func name() throws {
        let unit = try IDLCompiler.compile(text: "interface dsp_queue { long m(); };")
        #expect(SwiftStub.name(for: unit, writtenTo: "a/DSPQueue.swift") == "DSPQueue")
        #expect(SwiftStub.name(for: unit, writtenTo: "a/Other.swift") == nil)
        #expect(try SwiftStub.generate(unit).contains("public struct DspQueue<"))
    }
}
