import Foundation
import HexagonIDL
import RemoteCalls
import SystemInterfaces
import Testing

/// The interfaces under IDL/system, as the compiler describes them, against the method tables of the system
/// libraries that are on every board.
@Suite("System interfaces")
struct SystemInterfaceTests {
    /// A method: index, scalars, exact bytes of primitives in and out. `varies`: the scalars are those of a call
    /// whose inner sequences are empty.
    struct Row: Equatable, CustomStringConvertible {
        var index: Int
        var scalars: String
        var primIn: Int
        var primOut: Int
        var varies: Bool

        init(_ index: Int, _ scalars: UInt32, _ primIn: Int = 0, _ primOut: Int = 0, varies: Bool = false) {
            self.index = index
            let digits = String(scalars, radix: 16)
            self.scalars = "0x" + String(repeating: "0", count: 8 - digits.count) + digits
            (self.primIn, self.primOut, self.varies) = (primIn, primOut, varies)
        }

        var description: String { "\(index) \(scalars) \(primIn)/\(primOut)\(varies ? " varies" : "")" }
    }

    static let tables: [String: [Row]] = [
        "remotectl": [
            Row(0, 0x0002_0200, 8, 8), Row(1, 0x0101_0200, 8, 4), Row(2, 0x0201_0000, 8),
            Row(3, 0x0302_0000, 8),
        ],
        "remotectl1": [
            Row(2, 0x0202_0200, 8, 8), Row(3, 0x0301_0200, 8, 4), Row(4, 0x0401_0000, 8),
            Row(5, 0x0502_0000, 8),
        ],
        "apps_remotectl": [Row(0, 0x0002_0200, 8, 8), Row(1, 0x0101_0200, 8, 4)],
        "adsp_listener": [
            Row(0, 0x0003_0300, 24, 12, varies: true), Row(1, 0x0102_0000, 8, varies: true),
            Row(2, 0x0200_0000), Row(3, 0x0300_0000), Row(4, 0x0402_0200, 16, 16),
            Row(5, 0x0501_0200, 12, 4),
        ],
        "adsp_listener1": [
            Row(2, 0x0203_0300, 24, 12, varies: true), Row(3, 0x0302_0000, 8, varies: true),
            Row(4, 0x0400_0000), Row(5, 0x0500_0000), Row(6, 0x0602_0200, 16, 16),
            Row(7, 0x0701_0200, 12, 4),
        ],
        "adsp_current_process": [
            Row(0, 0x0000_0000), Row(1, 0x0100_0000), Row(2, 0x0202_0000, 8, varies: true),
            Row(3, 0x0300_0100, 0, 4), Row(4, 0x0401_0000, 4), Row(5, 0x0500_0000),
            Row(6, 0x0602_0000, 8, varies: true), Row(7, 0x0701_0000, 8), Row(8, 0x0800_0000),
        ],
        "adsp_current_process1": [
            Row(2, 0x0200_0000), Row(3, 0x0300_0000), Row(4, 0x0402_0000, 8, varies: true),
            Row(5, 0x0500_0100, 0, 4), Row(6, 0x0601_0000, 4), Row(7, 0x0700_0000),
            Row(8, 0x0802_0000, 8, varies: true), Row(9, 0x0901_0000, 8), Row(10, 0x0a00_0000),
            Row(11, 0x0b02_0000, 4), Row(12, 0x0c02_0000, 4),
        ],
        "adsp_default_listener": [Row(0, 0x0000_0000)],
        "adsp_default_listener1": [Row(2, 0x0200_0000)],
        "adsp_perf": [Row(0, 0x0001_0000, 4), Row(1, 0x0101_0100, 4), Row(2, 0x0201_0200, 4, 8)],
        "adsp_perf1": [Row(2, 0x0201_0000, 4), Row(3, 0x0301_0100, 4), Row(4, 0x0401_0200, 4, 8)],
        "adspmsgd_adsp": [Row(0, 0x0001_0100, 16, 4), Row(1, 0x0100_0000), Row(2, 0x0200_0000)],
        "adspmsgd_adsp1": [
            Row(2, 0x0200_0000), Row(3, 0x0300_0000), Row(4, 0x0401_0100, 24, 8), Row(5, 0x0500_0100, 0, 8),
        ],
        "adspmsgd_apps": [Row(0, 0x0002_0000, 4)],
        "apps_mem": [
            Row(0, 0x0001_0100, 20, 8), Row(1, 0x0101_0000, 8), Row(2, 0x0201_0100, 32, 16),
            Row(3, 0x0301_0000, 16), Row(4, 0x0401_0100, 8, 16), Row(5, 0x0501_0000, 12),
            Row(6, 0x0601_0000, 12), Row(7, 0x0701_0000, 8),
        ],
        "dspqueue_rpc": [
            Row(2, 0x0201_0000, 4), Row(3, 0x0301_0100, 12, 8), Row(4, 0x0401_0000, 8),
            Row(5, 0x0501_0100, 8, 4), Row(6, 0x0600_0100, 0, 4), Row(7, 0x0700_0000), Row(8, 0x0800_0000),
        ],
        "apps_std": [
            Row(0, 0x0003_0100, 8, 4), Row(1, 0x0103_0100, 12, 4), Row(2, 0x0201_0000, 4),
            Row(3, 0x0301_0000, 4), Row(4, 0x0401_0200, 8, 8), Row(5, 0x0502_0100, 8, 8),
            Row(6, 0x0601_0200, 8, 4), Row(7, 0x0702_0000, 8), Row(8, 0x0801_0100, 4, 4),
            Row(9, 0x0901_0000, 12), Row(10, 0x0a01_0100, 4, 8), Row(11, 0x0b01_0000, 4),
            Row(12, 0x0c01_0100, 4, 4), Row(13, 0x0d01_0100, 4, 4), Row(14, 0x0e01_0000, 4),
            Row(15, 0x0f02_0000, 4), Row(16, 0x1002_0200, 8, 4), Row(17, 0x1103_0000, 12),
            Row(18, 0x1202_0000, 4), Row(19, 0x1305_0100, 16, 4), Row(20, 0x1401_0200, 8, 4),
            Row(21, 0x1504_0100, 12, 6, varies: true), Row(22, 0x1602_0100, 4, 1), Row(23, 0x1701_0000, 4),
            Row(24, 0x1802_0000, 4), Row(25, 0x1901_0100, 4, 4), Row(26, 0x1a02_0100, 4, 8),
            Row(27, 0x1b01_0000, 8), Row(28, 0x1c01_0100, 8, 264), Row(29, 0x1d02_0000, 8),
            Row(30, 0x1e02_0000, 4), Row(31, 0x1f02_0100, 8, 96), Row(32, 0x1f01_0000, 12),
            Row(33, 0x1f03_0000, 12), Row(34, 0x1f03_0100, 12, 8), Row(35, 0x1f01_0000, 8),
            Row(36, 0x1f05_0100, 20, 8),
        ],
    ]

    static let handles: [String: Int] = [
        "remotectl": 0, "apps_remotectl": 0, "adsp_listener": 3, "adsp_current_process1": 4,
        "adspmsgd_adsp1": 5, "adsp_perf": 6, "adsp_listener1": 7, "remotectl1": 8, "adsp_perf1": 9,
    ]

    @Test(
        "Every method has the index, scalars and bytes of the shipped tables", arguments: tables.keys.sorted()
    )
    func methods(name: String) throws {
        let root = try description(of: name)
        let interface = try #require((root["interfaces"] as? [[String: Any]])?.first)
        #expect(interface["name"] as? String == name)
        let methods = try #require(interface["methods"] as? [[String: Any]])
        let isHandle = interface["handle"] as? Bool == true
        let rows = try methods.dropFirst(isHandle ? 2 : 0).map { method in
            var row = Row(try #require(method["index"] as? Int), 0)
            row.scalars = try #require(method["scalars"] as? String)
            row.varies = try #require(method["scalars_fixed"] as? Bool) == false
            row.primIn = try primitives(method["in"])
            row.primOut = try primitives(method["out"])
            return row
        }
        #expect(rows == Self.tables[name])
    }

    @Test("Constant handles", arguments: tables.keys.sorted())
    func handle(name: String) throws {
        let types = try #require(try description(of: name)["types"] as? [[String: Any]])
        let handle = types.first { $0["name"] as? String == "\(name)_HANDLE" }?["value"] as? Int
        #expect(handle == Self.handles[name])
    }

    @Test("Gaps before 64-bit fields, and what share_unmap sends")
    func offsets() throws {
        let root = try description(of: "apps_mem")
        let methods = try #require(
            (root["interfaces"] as? [[String: Any]])?.first?["methods"] as? [[String: Any]])
        let buffers = try methods.map { try #require($0["in"] as? [[String: Any]]) }
        let fields = try #require(buffers[2][0]["fields"] as? [[String: Any]])
        #expect(fields.map { $0["offset"] as? Int } == [0, 4, 8, 16, 24])
        #expect(buffers[5][0]["size_sent"] as? Int == 16)
    }

    private func description(of name: String) throws -> [String: Any] {
        let path = Repository.root.appendingPathComponent("IDL/system/\(name).idl").path
        let unit = try IDLCompiler { FileManager.default.contents(atPath: $0).map(Array.init) }.compile(path)
        #expect(unit.warnings.isEmpty)
        let text = try JSONDescription.generate(unit)
        return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    private func primitives(_ buffers: Any?) throws -> Int {
        let buffers = try #require(buffers as? [[String: Any]])
        return buffers.first { $0["kind"] as? String == "primitives" }?["size"] as? Int ?? 0
    }

    private struct Refusal: Error, Equatable {
        var result: AEEResult
    }

    @Test("A table unpacks what has a method's shape and refuses everything else")
    func unpack() throws {
        func method(
            _ scalars: UInt32, _ first: [UInt32], outs: [Int] = []
        ) -> Result<AppsStdMethod, Refusal> {
            let scalars = Scalars(rawValue: scalars)
            var memory: [UnsafeMutableRawBufferPointer] = []
            defer { memory.forEach { $0.deallocate() } }
            for index in 0..<scalars.argumentCount {
                let isOut = index >= scalars.inBuffers
                let size = index == 0 ? 4 * first.count : isOut ? outs[index - scalars.inBuffers] : 4
                memory.append(.allocate(byteCount: size, alignment: 8))
                memory[index].initializeMemory(as: UInt8.self, repeating: 0)
            }
            first.withUnsafeBytes { bytes in memory.first?.copyBytes(from: bytes) }
            var arguments = memory.map { RemoteArgument(writing: $0) }
            return arguments.withUnsafeMutableBufferPointer { list in
                do throws(RemoteCallError) {
                    return .success(try AppsStdMethod.unpack(scalars, list).method)
                } catch {
                    return .failure(Refusal(result: error.result))
                }
            }
        }
        #expect(method(0x0201_0000, [7]) == .success(.fflush))
        #expect(method(0x1f05_0100, [36, 1, 1, 1, 1], outs: [8]) == .success(.fopenWithEnvFd))
        #expect(method(0x1f05_0100, [36, 1, 1, 1], outs: [8]) == .failure(Refusal(result: .badParameter)))
        #expect(method(0x1f05_0100, [37, 1, 1, 1, 1], outs: [8]) == .failure(Refusal(result: .unsupported)))
        #expect(method(0x0201_0000, []) == .failure(Refusal(result: .badParameter)))
        #expect(method(0x0202_0000, [7]) == .failure(Refusal(result: .badParameter)))
        #expect(method(0x0201_0010, [7], outs: [4]) == .failure(Refusal(result: .badParameter)))
        #expect(method(0x0a01_0100, [7], outs: [4]) == .failure(Refusal(result: .badParameter)))
        // As many paths as the caller has room for.
        #expect(method(0x1504_0100, [1, 1, 0], outs: [6]) == .success(.getSearchPathsWithEnv))
        #expect(method(0x1504_0300, [1, 1, 2], outs: [8, 9, 9]) == .success(.getSearchPathsWithEnv))
        #expect(method(0x1504_0000, [1, 1, 0]) == .failure(Refusal(result: .badParameter)))
    }

    @Test("A method without primitives is unpacked from no buffer at all")
    func empty() throws {
        let none = UnsafeMutableBufferPointer<RemoteArgument>(start: nil, count: 0)
        #expect(try DSPQueueRPCMethod.unpack(Scalars(rawValue: 0x0800_0000), none).method == .signal)
        #expect(throws: RemoteCallError.self) {
            try DSPQueueRPCMethod.unpack(Scalars(rawValue: 0x0600_0000), none)
        }
        #expect(DSPQueueRPCMethod.signal.scalars.rawValue == 0x0800_0000)
    }

    @Test("A table cannot count the handles of a sequence")
    func handleSequences() throws {
        let unit = try IDLCompiler.compile(
            text: "interface pool { long give(in sequence<dmahandle> buffers); };")
        let error = #expect(throws: IDLError.self) { try SwiftTable.generate(unit) }
        #expect(error?.description.contains("sequences of handles") == true)
        let clash = try IDLCompiler.compile(
            text: "interface pool { long get_it(); long getIt(); };")
        #expect(throws: IDLError.self) { try SwiftTable.generate(clash) }
    }
}
