import HTPDevice
import HTPInterface
import HexagonRPC
import TestSupport
import Testing
import VirtualDSP

/// Weights in the vector units' own memory.
@Suite struct NearMemoryTests {
    /// Limits of bytes: none, what no worker can use, what few can, and what processors have.
    private static let limits: [Int?] = [0, 40 << 10, 256 << 10, 2 << 20, 4 << 20, 8 << 20, nil]

    @Test(arguments: [(1, 200, 2080), (4, 130, 512), (17, 200, 1056), (70, 65, 1024)])
    func resultsAreTheSameWithAnySize(size: (count: Int, rows: Int, columns: Int)) throws {
        var random = SeededGenerator(UInt64(size.count))
        for format in [WeightMatrix.Format.q4_0, .q4_K, .q2_K, .tq2_0, .mxfp4, .q8_0] {
            let matrix = try RandomMatrix(
                format, rows: size.rows, columns: ProductTests.columns(size.columns, format), random: &random)
            let source = random.normals(matrix.columns * size.count)
            var results: [[UInt32]] = []
            for usesDMA in [false, true] {
                for limit in Self.limits {
                    let device = try ProductTests.device("simulator", threads: 3)
                    let wanted = NearMemory(byteLimit: limit, usesDMA: usesDMA)
                    let isUsed = try device.setNearMemory(wanted)
                    // Where there is no memory there is nothing to try DMA with.
                    #expect(isUsed == (!usesDMA || limit ?? .max > 64 << 10))
                    #expect(device.nearMemory.byteLimit == limit)
                    let (found, _) = try ProductTests.multiply(device, [matrix], by: source, rows: size.count)
                    results.append(found[0].map(\.bitPattern))
                    // A fresh session has the same.
                    let before = device.nearMemory
                    try device.reopen()
                    #expect(device.nearMemory == before)
                }
            }
            #expect(Set(results).count == 1, "\(format)")
        }
    }

    @Test func whatIsWrongIsRefused() throws {
        let session = try Session(SimulatorTransport())
        let program = HTP(try session.open(ModuleURI(interface: "htp")))
        func code(dma: UInt32) -> UInt32? {
            do {
                _ = try program.nearMemory(most: .max, dma: dma)
                return nil
            } catch {
                return UInt32(truncatingIfNeeded: error.result.rawValue)
            }
        }
        #expect(code(dma: 1) == 0x0d)
        #expect(try program.nearMemory(most: 1 << 20, dma: 0) == 0)
        try program.start(threads: 2)
        #expect(code(dma: 2) == 0x0e)
        #expect(try program.nearMemory(most: .max, dma: 1) == 1)
        #expect(try program.nearMemory(most: 0, dma: 1) == 0)
    }
}
