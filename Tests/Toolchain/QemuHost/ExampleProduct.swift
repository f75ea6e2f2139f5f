import HTPInterface
import HTPProgram
import HexagonRPC
import TestSupport

/// The bits of a product with random tiles, which lie in shared memory that is written after it was mapped.
func exampleProduct(
    _ program: borrowing HTP<RemoteHandle>, _ session: borrowing Session, kind: UInt32, rows: Int,
    columns: Int,
    count: Int, seed: UInt64
) throws -> [UInt32] {
    let buffer = try session.allocator.allocate(byteCount: 1 << 20)
    try session.map(buffer)
    try program.map(fd: buffer.descriptor, size: UInt64(buffer.byteCount))
    var generator = SeededGenerator(seed)
    let bytes = UnsafeMutableRawBufferPointer(start: buffer.address, count: buffer.byteCount)
    for index in bytes.indices { bytes[index] = UInt8.random(in: 0...255, using: &generator) }
    // Exponents within the range of floats.
    for tile in 0..<(rows + 63) / 64 {
        let start = tile * Int(htp_row_tile_bytes(kind, UInt32(columns)))
        for row in 0..<64 {
            bytes.storeBytes(of: Int32(row - 40), toByteOffset: start + 4 * row, as: Int32.self)
        }
    }
    let source = (0..<count * columns).map { _ in Float.random(in: -3...3, using: &generator) }
    let result = try program.matmul(
        fd: buffer.descriptor, offset: 0, type: kind, rows: UInt32(rows), columns: UInt32(columns),
        count: UInt32(count), src: source, dstCount: count * rows)
    try program.unmap(fd: buffer.descriptor)
    try session.unmap(buffer)
    return result.map(\.bitPattern)
}
