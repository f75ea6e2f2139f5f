import FastRPCKernel
import Foundation
import Testing

/// `references/fastrpc-uapi.json` was written from the kernel's sources, not from this module.
@Suite struct FastRPCReferenceTests {
    private struct Reference: Decodable {
        struct Request: Decodable {
            var name: String
            var nr: Int
            var direction: String
            var structure: String?
            var size: Int
            var request: String
        }
        struct Structure: Decodable {
            struct Field: Decodable {
                var name: String
                var offset: Int
                var type: String
                var count: Int?
            }
            var name: String
            var size: Int
            var fields: [Field]
        }
        struct Constant: Decodable {
            var name: String
            var value: UInt32
        }
        var ioctls: [Request]
        var structs: [Structure]
        var constants: [Constant]
    }

    private func reference() throws -> Reference {
        try JSONDecoder().decode(
            Reference.self, from: Data(try Repository.text("references/fastrpc-uapi.json").utf8))
    }

    @Test func requests() throws {
        let requests = try reference().ioctls
        #expect(requests.map(\.name) == FastRPCRequest.all.map(\.name))
        let sizes = Dictionary(
            uniqueKeysWithValues: KernelStructure.all.map { ($0.name, $0.byteCount) })
        for (request, swift) in zip(requests, FastRPCRequest.all) {
            let number = swift.number.rawValue
            #expect(request.request == "0x" + hexadecimal(number), "\(request.name)")
            #expect(Int(number & 0xff) == request.nr && number >> 8 & 0xff == 0x52)
            #expect(Int(number >> 16 & 0x3fff) == request.size)
            #expect(number >> 30 == (request.direction == "none" ? 0 : 3))
            if let structure = request.structure { #expect(sizes[structure] == request.size) }
        }
    }

    @Test func structures() throws {
        let sizes = ["u32": 4, "s32": 4, "u64": 8]
        let structures = try reference().structs
        #expect(structures.map(\.name) == KernelStructure.all.map(\.name))
        for (structure, swift) in zip(structures, KernelStructure.all) {
            #expect(structure.size == swift.byteCount, "\(structure.name)")
            #expect(
                try structure.fields.map {
                    KernelStructure.Field(
                        name: $0.name, offset: $0.offset,
                        byteCount: try #require(sizes[$0.type]) * ($0.count ?? 1))
                } == swift.fields, "\(structure.name)")
        }
    }

    @Test func constants() throws {
        let constants = try reference().constants
        #expect(constants.map(\.name) == KernelConstants.all.map(\.name))
        #expect(constants.map(\.value) == KernelConstants.all.map(\.value))
    }

    /// The page for people names every request with its number.
    @Test func thePageAgrees() throws {
        let page = try Repository.text("references/fastrpc-uapi.md")
        for request in FastRPCRequest.all {
            let name = request.name.dropFirst("FASTRPC_IOCTL_".count)
            let row = page.split(separator: "\n").first {
                $0.hasPrefix("| \(request.number.rawValue & 0xff) | `\(name)` |")
            }
            #expect(row?.contains("`0x\(hexadecimal(request.number.rawValue))`") == true, "\(name)")
        }
    }

    private func hexadecimal(_ number: UInt32) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}
