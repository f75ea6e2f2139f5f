import GGUF

/// Writes a matrix of floats as NumPy's `.npy`, version 1.0.
package enum NumPyFile {
    /// Writes `rows × columns` floats; the file appears whole or not at all.
    package static func write(_ values: [Float], columns: Int, to path: String) throws {
        let rows = columns > 0 ? values.count / columns : 0
        var text = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(rows), \(columns)), }"
        // Magic, version and length take 10 bytes; all of it together is a multiple of 64, newline last.
        let length = (10 + text.utf8.count + 1 + 63) / 64 * 64 - 10
        text += String(repeating: " ", count: length - text.utf8.count - 1) + "\n"
        var header: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0]
        header += [UInt8(length & 0xff), UInt8(length >> 8)]
        header += Array(text.utf8)
        let file = try ReplacementFile(for: path)
        try file.append(header)
        try file.append(values.withUnsafeBytes(Array.init))
        try file.commit()
    }
}
