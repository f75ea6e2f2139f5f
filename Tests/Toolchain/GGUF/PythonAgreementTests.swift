import Foundation
import GGUF
import TestSupport
import Testing

/// A GGUF file as a list of lines that two readers can agree on.
private struct Summary: Decodable, Equatable {
    var version: Int
    var keys: [[String]]
    var tensors: [[String]]

    /// How the PyPI package `gguf` reads the file.
    init(python path: String) throws {
        self = try JSONDecoder().decode(Summary.self, from: Python.output(of: Self.program, path))
    }

    private static let program = """
        import json, struct, sys, zlib
        from gguf import GGUFReader, GGUFValueType
        reader = GGUFReader(sys.argv[1])
        def scalar(kind, value):
            if kind == GGUFValueType.STRING: return value
            if kind in (GGUFValueType.FLOAT32, GGUFValueType.FLOAT64): return struct.pack('>d', value).hex()
            return str(int(value))
        keys = []
        for field in reader.fields.values():
            if field.name.startswith('GGUF.'): continue
            kind = field.types[0]
            if kind == GGUFValueType.ARRAY:
                data = b''.join(field.parts[i].tobytes() for i in field.data)
                element = field.types[1].name if len(field.types) > 1 else '-'
                keys.append([field.name, 'ARRAY', element, str(len(field.data)), str(zlib.crc32(data))])
            else:
                keys.append([field.name, kind.name, scalar(kind, field.contents())])
        tensors = [[t.name, t.tensor_type.name, ' '.join(str(d) for d in t.shape), str(t.data_offset),
                    str(t.n_bytes), str(zlib.crc32(t.data.tobytes()))] for t in reader.tensors]
        version = int(reader.fields['GGUF.version'].contents())
        print(json.dumps({'version': version, 'keys': keys, 'tensors': tensors}))
        """

    /// How we read it.
    init(_ file: GGUFFile) {
        version = file.version
        keys = file.metadata.keys.map { key in
            guard let value = file.metadata[key] else { return [key] }
            let type = "\(value.type)".uppercased()
            switch value {
            case .array(let array):
                var crc = CRC32()
                if array.elementType == .string {
                    array.forEachString { crc.add($0) }
                } else {
                    array.withEncodedBytes { crc.add($0) }
                }
                let element = array.count == 0 ? "-" : "\(array.elementType)".uppercased()
                return [key, type, element, String(array.count), String(crc.value)]
            case .string(let text): return [key, type, text]
            case .bool(let flag): return [key, type, flag ? "1" : "0"]
            case .float32, .float64:
                let digits = String((value.float ?? .nan).bitPattern, radix: 16)
                return [key, type, String(repeating: "0", count: 16 - digits.count) + digits]
            default: return [key, type, String(value.integer ?? -1)]
            }
        }
        tensors = file.tensors.map { tensor in
            var crc = CRC32()
            crc.add(file.bytes(of: tensor))
            return [
                tensor.name, tensor.type.name, tensor.dimensions.map(String.init).joined(separator: " "),
                String(tensor.fileOffset), String(tensor.byteCount), String(crc.value),
            ]
        }
    }
}

/// The checksum of zlib.
private struct CRC32 {
    private static let table = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { value, _ in value >> 1 ^ (value & 1 == 1 ? 0xedb8_8320 : 0) }
    }
    private var register = ~UInt32(0)
    var value: UInt32 { ~register }

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        for byte in bytes {
            register = register >> 8 ^ Self.table[Int(UInt8(truncatingIfNeeded: register) ^ byte)]
        }
    }
}

@Suite(
    .enabled(if: Python.canImport("gguf", "numpy"), "needs Python with gguf and numpy (HEXAGONRPC_PYTHON)"))
struct PythonAgreementTests {
    @Test(
        .needsSharedData,
        arguments: SharedData.files(in: "models", suffix: ".gguf")
            + SharedData.files(in: "tokenizers", suffix: ".gguf"))
    func readsSharedFilesAlike(name: String) throws {
        let path = SharedData.path(name)
        let (ours, theirs) = (Summary(try GGUFFile(path: path)), try Summary(python: path))
        #expect(ours.version == theirs.version && ours.keys == theirs.keys && ours.tensors == theirs.tensors)
    }

    @Test func readsWhatWeWrite() throws {
        var writer = GGUFWriter()
        writer.set("general.architecture", .string("test"))
        writer.set("general.alignment", .uint32(64))
        writer.set("n.u8", .uint8(200))
        writer.set("n.i8", .int8(-100))
        writer.set("n.u16", .uint16(60000))
        writer.set("n.i16", .int16(-30000))
        writer.set("n.u32", .uint32(.max))
        writer.set("n.i32", .int32(.min))
        writer.set("n.u64", .uint64(1 << 62))
        writer.set("n.i64", .int64(.min))
        writer.set("n.f32", .float32(0.1))
        writer.set("n.f64", .float64(-0.1))
        writer.set("n.bool", .bool(true))
        writer.set("s.text", .string("zwei Zeilen:\n„ß“ 😀"))
        writer.set("a.strings", .array(MetadataArray(["", "ä", "three"])))
        writer.set("a.integers", .array(MetadataArray([Int32(1), -2])))
        writer.set("a.floats", .array(MetadataArray([Float(1), -2.5])))
        writer.set("a.bools", .array(MetadataArray([true, false])))
        writer.set("a.none", .array(MetadataArray([String]())))
        // A tensor of every type that the package knows, three rows of two blocks each.
        for type in TensorType.allKnown
        where type.rawValue <= 41 && ![.q8_1, .i2_S].contains(type)
            && !(31...33).contains(type.rawValue)
        {
            guard let layout = type.layout else { continue }
            let dimensions = [2 * layout.blockSize, 3]
            let bytes = (0..<6 * layout.bytesPerBlock).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            writer.addTensor("tensor.\(type.name)", dimensions: dimensions, type: type, bytes: bytes)
        }
        let path = NSTemporaryDirectory() + "/written-\(UUID().uuidString).gguf"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try writer.write(to: path)
        let (ours, theirs) = (Summary(try GGUFFile(path: path)), try Summary(python: path))
        #expect(ours == theirs)
        #expect(theirs.keys.contains(["s.text", "STRING", "zwei Zeilen:\n„ß“ 😀"]))
        #expect(theirs.keys.contains(["n.i64", "INT64", "\(Int64.min)"]) && theirs.tensors.count > 30)
    }

    /// Block sizes by the package's own table.
    @Test func knowsTheSameTensorTypes() throws {
        let program = """
            import json
            from gguf.constants import GGML_QUANT_SIZES
            print(json.dumps([[int(t), t.name, *sizes] for t, sizes in GGML_QUANT_SIZES.items()]))
            """
        let json = try JSONSerialization.jsonObject(with: Python.output(of: program))
        let rows = try #require(json as? [[Any]])
        #expect(rows.count > 30)
        for row in rows {
            let number = try #require(row[0] as? Int)
            let type = TensorType(rawValue: UInt32(number))
            // The package has Q8_1's block from when its two halves were floats; it is in no file.
            if type == .q8_1 { continue }
            #expect(type.name == row[1] as? String)
            let layout = try #require(type.layout)
            #expect(layout.blockSize == row[2] as? Int && layout.bytesPerBlock == row[3] as? Int)
        }
    }
}
