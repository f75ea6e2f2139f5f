import CPUKernels
import HTPDevice
import TestSupport
import Testing

/// Both sides write a cache's rows in one format.
@Suite struct CacheRowTests {
    @Test(arguments: DeviceCache.Element.allCases) func theCPUWritesTheDSPsRows(
        _ element: DeviceCache.Element
    )
        throws
    {
        let fixture = try GraphFixture(seed: 21)
        let (count, heads, size, capacity) = (5, 3, 96, 8)
        var x = fixture.random.normals(count * heads * size)
        for index in 0..<96 { x[index] = 0 }
        x[100] = 2500
        x[300] = -40
        let source = try fixture.put(x, width: heads * size)
        let room = fixture.bytes(65536, stride: 0)
        func cache(_ buffer: DeviceBuffer) -> DeviceCache {
            DeviceCache(
                buffer, offset: room.offset, element: element, heads: heads, size: size, capacity: capacity)
        }
        try fixture.run(BatchParameters(tokens: count, position: 2)) { builder, buffer, tensor in
            builder.store(tensor(source), to: cache(buffer))
        }
        let layout = cache(fixture.buffers[0])
        let bytes = try fixture.get(room, 1, layout.byteCount, as: UInt8.self)
        for level in kernelLevels {
            let kernels = AttentionKernelTests.kernels(level)
            for row in 0..<count {
                for head in 0..<heads {
                    var expected = [UInt8](repeating: 0, count: element.byteCount(size))
                    let first = (row * heads + head) * size
                    kernels.encode(
                        &expected, Array(x[first..<first + size]), size, Int32(element.rawValue))
                    let at = head * layout.headStride + (row + 2) * layout.tensor.stride
                    #expect(Array(bytes[at..<at + expected.count]) == expected, "\(level) \(row) \(head)")
                }
            }
        }
    }
}
