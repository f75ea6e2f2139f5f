import HTPDevice
import HexagonRPC
import TestSupport
import Testing
import VirtualDSP

/// Products on the DSP, through the simulator and through the C library's symbols.
@Suite(.serialized) struct ProductTests {
    /// The ways to the virtual DSP.
    static let transports: [String] = ["simulator"] + (SimulatorLibrary.path == nil ? [] : ["library"])

    static func device(_ transport: String, threads: Int = 2) throws -> HTPDevice {
        let chosen: any Transport =
            switch (transport, SimulatorLibrary.path) {
            case ("library", let path?): try LibraryTransport(path: path)
            default: SimulatorTransport()
            }
        return try HTPDevice(name: "dsp0", kind: transport, transport: chosen, threads: threads)
    }

    /// Multiplies `rows` rows with each matrix in one batch.
    static func multiply(
        _ device: HTPDevice, _ matrices: [RandomMatrix], by source: [Float], rows: Int,
        precision: ProductPrecision = .single
    ) throws -> (results: [[Float]], report: BatchReport) {
        var numbers: [Int] = []
        for matrix in matrices {
            numbers += try matrix.withWeights {
                try device.load([$0]) { count, body in (0..<count).forEach(body) }
            }
        }
        let columns = matrices[0].columns
        let counts = [columns * rows] + matrices.map { $0.rows * rows }
        let offsets = counts.indices.map { 4 * counts[..<$0].reduce(0, +) }
        let buffer = try device.makeBuffer(byteCount: 4 * counts.reduce(0, +))
        func tensor(_ index: Int, width: Int) -> DeviceTensor {
            DeviceTensor(buffer, offset: offsets[index], stride: 4 * width, isShared: true)
        }
        var builder = BatchBuilder()
        for (index, number) in numbers.enumerated() {
            builder.matmul(
                device.matrix(number), tensor(0, width: columns),
                to: tensor(index + 1, width: matrices[index].rows), isQuantized: index > 0,
                precision: precision)
        }
        let batch = try device.prepare(builder)
        try buffer.withBytes(.write) { bytes in
            let floats = bytes.bindMemory(to: Float.self)
            floats.update(repeating: .nan)
            for (index, value) in source.enumerated() { floats[index] = value }
        }
        let report = try device.submit(batch, BatchParameters(tokens: rows))
        let results = try buffer.withBytes(.read) { bytes in
            zip(offsets, counts).dropFirst().map { offset, count in
                Array(bytes[offset..<offset + 4 * count].bindMemory(to: Float.self))
            }
        }
        return (results, report)
    }

    /// Rows, inputs, and activation rows: below, at and above what is multiplied at once, and a whole prompt's.
    @Test(
        arguments: WeightMatrix.Format.allCases,
        [
            (1, 32, 1), (32, 64, 1), (33, 96, 2), (65, 256, 3), (100, 512, 4), (40, 1056, 7), (256, 2048, 5),
            (96, 800, 6), (31, 224, 8), (130, 256, 9), (63, 512, 31), (33, 288, 32), (64, 96, 33),
            (70, 544, 64),
            (97, 256, 512), (65, 1, 2), (40, 31, 40), (100, 172, 1), (70, 1055, 9),
        ])
    func productsAreCloseToDoublePrecision(
        format: WeightMatrix.Format, size: (rows: Int, columns: Int, count: Int)
    ) throws {
        let columns = Self.columns(size.columns, format)
        var random = SeededGenerator(UInt64(size.rows + columns))
        let matrix = try RandomMatrix(format, rows: size.rows, columns: columns, random: &random)
        let source = random.normals(columns * size.count)
        let (results, report) = try Self.multiply(
            try Self.device("simulator"), [matrix], by: source, rows: size.count)
        // Eight-bit activations of a normal distribution are off by 3e-5 of their square; a few results, by luck,
        // by more.
        #expect(
            matrix.error(of: results[0], with: source) < (size.rows * size.count > 256 ? 5e-5 : 2e-4))
        #expect(report.operations == 1)
        #expect(report.multiplyAdds == size.rows * columns * size.count)
    }

    /// Activations quantised twice: what is left is the rounding of the weights' scales.
    @Test(
        arguments: WeightMatrix.Format.allCases,
        [(70, 256, 1), (600, 512, 3), (64, 256, 40), (130, 1024, 200), (130, 1000, 7)])
    func doublePrecisionProducts(
        format: WeightMatrix.Format, size: (rows: Int, columns: Int, count: Int)
    ) throws {
        let columns = Self.columns(size.columns, format)
        var random = SeededGenerator(UInt64(size.rows + columns))
        let matrix = try RandomMatrix(format, rows: size.rows, columns: columns, random: &random)
        var source = random.normals(columns * size.count)
        // Blocks of zeros, and one that is far below the others.
        for index in 0..<32 { source[index] = 0 }
        for index in 32..<64 { source[index] *= 1e-9 }
        let devices = try [1, 3].map { try Self.device("simulator", threads: $0) }
        let results = try devices.map {
            try Self.multiply($0, [matrix, matrix], by: source, rows: size.count, precision: .double)
        }
        #expect(results[0].results == results[1].results)
        #expect(results[0].results[0] == results[0].results[1])
        #expect(results[0].report.multiplyAdds == 2 * size.rows * columns * size.count)
        let error = matrix.error(of: results[0].results[0], with: source)
        #expect(error < 2e-6, "\(error)")
    }

    /// The next width that the format has.
    static func columns(_ columns: Int, _ format: WeightMatrix.Format) -> Int {
        let unit = format.blockSize
        return (columns + unit - 1) / unit * unit
    }

    /// A hundredfold input in each two blocks, as language models have them.
    @Test(arguments: WeightMatrix.Format.allCases)
    func outliersLeaveProductsClose(format: WeightMatrix.Format) throws {
        var random = SeededGenerator(77)
        let matrix = try RandomMatrix(format, rows: 192, columns: 1024, random: &random)
        var source = random.normals(1024 * 3)
        for index in source.indices where Int.random(in: 0..<64, using: &random) == 0 { source[index] *= 100 }
        let (results, _) = try Self.multiply(try Self.device("simulator"), [matrix], by: source, rows: 3)
        #expect(normalizedError(results[0], expected: matrix.multiplied(by: source)) < 5e-4)
    }

    /// What the activations lose is their own rounding: with inputs that int8 blocks hold exactly, nothing is
    /// left but the rounding of scales, of sums and of the codes that floats become.
    @Test(arguments: WeightMatrix.Format.allCases)
    func exactActivationsGiveAlmostExactProducts(format: WeightMatrix.Format) throws {
        var random = SeededGenerator(11)
        let matrix = try RandomMatrix(format, rows: 64, columns: 1024, random: &random)
        var source = (0..<1024).map { _ in Float(Int.random(in: -126...126, using: &random)) }
        for block in stride(from: 0, to: 1024, by: 32) { source[block] = 127 }
        let (results, _) = try Self.multiply(try Self.device("simulator"), [matrix], by: source, rows: 1)
        // Ternary products are scaled once for many blocks.
        let isTernary = [.tq1_0, .tq2_0, .i2_S, .iq2_BN].contains(format)
        #expect(
            normalizedError(results[0], expected: matrix.multiplied(by: source)) < (isTernary ? 2e-6 : 1e-6))
    }

    /// The rounding that sums begin with is not a result.
    @Test(arguments: WeightMatrix.Format.allCases)
    func rowsOfZerosGiveZero(format: WeightMatrix.Format) throws {
        var random = SeededGenerator(13)
        let zeros = [0, 5, 31, 32, 63, 64, 99]
        let matrix = try RandomMatrix(format, rows: 100, columns: 768, random: &random).zeroing(zeros)
        let source = random.normals(768 * 5)
        let (results, _) = try Self.multiply(try Self.device("simulator"), [matrix], by: source, rows: 5)
        for row in 0..<5 {
            for zero in zeros { #expect(results[0][row * 100 + zero] == 0, "row \(zero) of \(row)") }
        }
        guard format != .i2_S else { return }
        #expect(matrix.error(of: results[0], with: source) < 2e-4)
    }

    @Test func rowsOfABatchDoNotInfluenceEachOther() throws {
        var random = SeededGenerator(3)
        let matrix = try RandomMatrix(.q4_0, rows: 96, columns: 320, random: &random)
        let source = random.normals(320 * 9)
        let together = try Self.multiply(try Self.device("simulator"), [matrix], by: source, rows: 9).results[
            0]
        for row in 0..<9 {
            let alone = try Self.multiply(
                try Self.device("simulator", threads: 1), [matrix],
                by: Array(source[row * 320..<(row + 1) * 320]), rows: 1
            ).results[0]
            #expect(alone == Array(together[row * 96..<(row + 1) * 96]))
        }
    }

    @Test func outliersZerosAndExtremesAreDefined() throws {
        var random = SeededGenerator(8)
        let matrix = try RandomMatrix(.q8_0, rows: 32, columns: 256, random: &random)
        var source = random.normals(256 * 4)
        source[5] = 4000  // one block dwarfs the others
        for column in 256..<512 { source[column] = 0 }
        for column in 512..<768 { source[column] *= 1e30 }
        for column in 768..<1024 { source[column] *= 1e-30 }
        let results = try Self.multiply(try Self.device("simulator"), [matrix], by: source, rows: 4).results[
            0]
        let expected = matrix.multiplied(by: source)
        #expect(results[32..<64].allSatisfy { $0 == 0 })
        for row in [0, 2] {
            let range = row * 32..<(row + 1) * 32
            #expect(normalizedError(results[range], expected: expected[range]) < 2e-4)
        }
        // Below 2^-95 inputs count as zero.
        #expect(results[96..<128].allSatisfy { $0 == 0 || $0.magnitude < 1e-27 })
    }

    @Test(.enabled(if: SimulatorLibrary.path != nil, "libcdsprpc-simulator.so is not built"))
    func bothTransportsGiveTheSameBits() throws {
        var random = SeededGenerator(21)
        let matrices = [
            try RandomMatrix(.q4_0, rows: 160, columns: 512, random: &random),
            try RandomMatrix(.q8_0, rows: 33, columns: 512, random: &random),
            try RandomMatrix(.q4_0, rows: 7, columns: 512, random: &random),
        ]
        let source = random.normals(512 * 6)
        let found = try Self.transports.map {
            try Self.multiply(try Self.device($0), matrices, by: source, rows: 6).results
        }
        #expect(found.count == 2)
        for (simulator, library) in zip(found[0], found[1]) {
            #expect(simulator.map(\.bitPattern) == library.map(\.bitPattern))
            #expect(simulator.contains { $0 != 0 })
        }
    }

    @Test(arguments: transports)
    func theDeviceCountsItsMemory(transport: String) throws {
        var random = SeededGenerator(2)
        let device = try Self.device(transport)
        #expect(device.modelBytes == 0)
        let matrix = try RandomMatrix(.q4_0, rows: 64, columns: 64, random: &random)
        _ = try Self.multiply(device, [matrix], by: random.normals(64), rows: 1)
        #expect(device.modelBytes >= TileKind.fourBit.byteCount(rows: 64, columns: 64))
        #expect(device.contextBytes > 0)
        #expect(device.hardware.threads == 2)
    }

    @Test func aBatchWithTooManyRowsIsRefused() throws {
        let device = try Self.device("simulator")
        let batch = try device.prepare(BatchBuilder())
        for rows in [0, 5000] {
            #expect(throws: HTPError.self) { try device.submit(batch, BatchParameters(tokens: rows)) }
        }
    }
}
