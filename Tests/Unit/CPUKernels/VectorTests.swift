import CPUKernels
import Glibc
import Testing

@Suite("CPU kernels: vectors")
struct VectorTests {
    static let lengths = [1, 2, 8, 15, 16, 17, 33, 64, 100, 1027]

    @Test("quantised activations are the same bits on every level")
    func sameBits() {
        var random = KernelRandom(seed: 5)
        var x = (0..<64 * 32).map { i in random.normal() * exp2(Float(i / 32 % 40 - 20)) }
        for i in 0..<32 { x[i] = 0 }
        for i in 32..<64 { x[i] = Float(i - 48) + 0.5 }  // ties, as the largest is made 127
        x[40] = 127
        for i in 64..<96 { x[i] = .leastNonzeroMagnitude * 70000 }
        x[100] = .infinity
        x[140] = .nan
        x[170] = .greatestFiniteMagnitude
        let rows = kernelLevels.map { level in
            let kind = Int32(CPU_ACTIVATIONS_INT8)
            return [UInt8](unsafeUninitializedCapacity: cpu_activation_bytes(kind, x.count)) { bytes, count in
                cpu_prepare(level.table, kind, x, x.count, bytes.baseAddress)
                count = bytes.count
            }
        }
        for row in rows { #expect(row == rows[0]) }
        rows[0].withUnsafeBytes { row in
            for b in 0..<64 {
                let codes = (0..<32).map { Int32(row.load(fromByteOffset: b * 32 + $0, as: Int8.self)) }
                let scale = row.loadUnaligned(fromByteOffset: x.count + b * 4, as: Float.self)
                let bias = row.loadUnaligned(fromByteOffset: x.count + 256 + b * 4, as: Int32.self)
                #expect(bias == -128 * codes.reduce(0, +))
                func float(_ index: Int) -> Float {
                    row.loadUnaligned(fromByteOffset: x.count + index * 4, as: Float.self)
                }
                let sums = [codes[..<16].reduce(0, +), codes[16...].reduce(0, +)]
                let halves = [2 * b, 2 * b + 1]
                let biases = halves.map { Int32(bitPattern: float(128 + $0).bitPattern) }
                #expect(biases == sums.map { -128 * $0 })
                if !scale.isNaN {
                    #expect(float(256 + b) == scale * Float(sums[0] + sums[1]))
                    #expect(halves.map { float(320 + $0) } == sums.map { scale * Float($0) })
                }
                #expect(scale.isNaN == (b == 3 || b == 4))
                if scale.isNaN { continue }
                for i in 0..<32 {
                    let error = (Double(codes[i]) * Double(scale) - Double(x[b * 32 + i])).magnitude
                    #expect(error <= Double(scale) * 0.50001 || b == 2 && codes[i] == 0)
                }
            }
        }
    }

    /// A level has what its own products take.
    @Test(
        "activations are prepared as the reference does", arguments: kernelLevels, [1, 31, 32, 33, 64, 333])
    func sameKinds(level: KernelLevel, columns: Int) throws {
        var random = KernelRandom(seed: UInt64(columns))
        var x = (0..<columns).map { i in random.normal() * exp2(Float(i / 32 % 40 - 20)) }
        if columns > 64 { (x[70], x[100], x[130]) = (.infinity, .nan, .greatestFiniteMagnitude) }
        let tables = (
            level.kernels.activations_of_few, level.kernels.activations_of_batch
        )
        let taken = withUnsafeBytes(of: tables) { Set($0.map(Int32.init)) }
        for kind in 0..<Int32(CPU_ACTIVATIONS) where kind != CPU_ACTIVATIONS_INT8 || columns % 32 == 0 {
            let rows = [level, kernelLevels[0]].map { level -> [UInt8]? in
                let hasKind = withUnsafeBytes(of: level.kernels.prepare) {
                    $0.load(fromByteOffset: Int(kind) * MemoryLayout<Int>.size, as: Int.self) != 0
                }
                guard hasKind else { return nil }
                let size = cpu_activation_bytes(kind, columns)
                return [UInt8](unsafeUninitializedCapacity: size) { bytes, count in
                    cpu_prepare(level.table, kind, x, columns, bytes.baseAddress)
                    count = size
                }
            }
            #expect(rows[1] != nil)
            if taken.contains(kind) || rows[0] != nil { #expect(rows[0] == rows[1], "kind \(kind)") }
        }
    }

    @Test("codes of 16 bits stand for the activations")
    func int16Codes() {
        var random = KernelRandom(seed: 3)
        let x = (0..<40).map { _ in random.normal() }
        let kind = Int32(CPU_ACTIVATIONS_INT16)
        var row = [UInt8](repeating: 1, count: cpu_activation_bytes(kind, x.count))
        #expect(row.count == 2 * 64 + 2 * 4)
        cpu_prepare(kernelLevels[0].table, kind, x, x.count, &row)
        row.withUnsafeBytes { row in
            for k in 0..<64 {
                let scale = row.loadUnaligned(fromByteOffset: 128 + k / 32 * 4, as: Float.self)
                let block = x[k / 32 * 32..<min(k / 32 * 32 + 32, x.count)]
                #expect(scale == block.map(\.magnitude).max()! / 8191)
                let value = Double(row.load(fromByteOffset: 2 * k, as: Int16.self)) * Double(scale)
                #expect((value - Double(k < x.count ? x[k] : 0)).magnitude <= Double(scale) * 0.50001)
            }
        }
    }

    @Test("dot products and sums of multiples", arguments: kernelLevels, lengths)
    func linear(level: KernelLevel, n: Int) {
        var random = KernelRandom(seed: UInt64(n))
        let a = (0..<n).map { _ in random.normal() }
        let b = (0..<n).map { _ in random.normal() }
        let halves = a.map { Float16($0) }
        let bits = halves.map(\.bitPattern)
        let k = level.kernels

        let magnitude = zip(a, b).reduce(0.0) { $0 + Double(($1.0 * $1.1).magnitude) }
        let exact = zip(a, b).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        #expect((Double(k.dot_f32(a, b, n)) - exact).magnitude <= magnitude * 1e-6)
        let exactHalf = zip(halves, b).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        #expect((Double(k.dot_f16(bits, b, n)) - exactHalf).magnitude <= magnitude * 1e-6)

        var y = b + [7]
        k.axpy_f32(&y, 0.3, a, n)
        for i in 0..<n { #expect((y[i] - (b[i] + 0.3 * a[i])).magnitude < 1e-6) }
        y = b + [7]
        k.axpy_f16(&y, 0.3, bits, n)
        for i in 0..<n { #expect((y[i] - (b[i] + 0.3 * Float(halves[i]))).magnitude < 1e-6) }
        k.add(&y, a, b, n)
        for i in 0..<n { #expect(y[i] == a[i] + b[i]) }
        #expect(y[n] == 7)
    }

    @Test("conversion to half precision rounds as the language does", arguments: kernelLevels)
    func halves(level: KernelLevel) {
        var random = KernelRandom(seed: 9)
        var x: [Float] = [
            0, -0.0, 65504, 65519.996, 65520, -1e9, .infinity, 6e-8, 2.9e-8, 3e-8, 6.1e-5, 6.0975e-5,
        ]
        x += (0..<5000).map { _ in random.normal() * exp2(Float(random.next() % 44) - 26) }
        var bits = [UInt16](repeating: 0, count: x.count)
        level.kernels.f16_from_f32(&bits, x, x.count)
        #expect(bits == x.map { Float16($0).bitPattern })
        var nan: UInt16 = 0
        level.kernels.f16_from_f32(&nan, [Float.nan], 1)
        #expect(Float16(bitPattern: nan).isNaN)
    }

    @Test("RMS norm", arguments: kernelLevels, lengths)
    func norm(level: KernelLevel, n: Int) {
        var random = KernelRandom(seed: UInt64(n))
        let x = (0..<n).map { _ in random.normal() }
        let weight = (0..<n).map { _ in random.normal() }
        let mean = x.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(n)
        var y = x + [7]
        level.kernels.rms_norm(&y, y, weight, n, 1e-5)
        for i in 0..<n {
            let exact = Double(x[i]) / (mean + 1e-5).squareRoot() * Double(weight[i])
            #expect((Double(y[i]) - exact).magnitude <= exact.magnitude * 1e-6)
        }
        level.kernels.rms_norm(&y, x, nil, n, 1e-5)
        for i in 0..<n {
            #expect((Double(y[i]) - Double(x[i]) / (mean + 1e-5).squareRoot()).magnitude < 2e-6)
        }
        #expect(y[n] == 7)
    }

    @Test("softmax", arguments: kernelLevels, lengths)
    func softmax(level: KernelLevel, n: Int) {
        var random = KernelRandom(seed: UInt64(n))
        let x = (0..<n).map { _ in random.normal() * 8 }
        let largest = x.max().map { Double($0) * 0.7 } ?? 0
        let exponentials = x.map { exp(Double($0) * 0.7 - largest) }
        let sum = exponentials.reduce(0, +)
        var y = x + [7]
        level.kernels.softmax(&y, n, 0.7)
        for i in 0..<n {
            // Rounding of the argument, up to 40 here, comes on top of that of exp.
            #expect((Double(y[i]) - exponentials[i] / sum).magnitude <= exponentials[i] / sum * 4e-6 + 1e-37)
        }
        #expect(y[n] == 7)

        // A mask: only what is not masked counts; all masked gives zeros.
        var masked = [Float](repeating: -.infinity, count: n)
        level.kernels.softmax(&masked, n, 1)
        #expect(masked.allSatisfy { $0 == 0 })
        masked = [Float](repeating: -.infinity, count: n)
        masked[n / 2] = -50
        level.kernels.softmax(&masked, n, 1)
        for i in 0..<n { #expect(masked[i] == (i == n / 2 ? 1 : 0)) }
    }

    @Test("SwiGLU over the whole range of exp", arguments: kernelLevels)
    func swiglu(level: KernelLevel) {
        let gate = stride(from: Float(-130), through: 130, by: 0.037).map { $0 }
        let up = gate.indices.map { Float($0 % 7) - 3 }
        var y = gate
        level.kernels.silu_mul(&y, y, up, gate.count)
        for i in gate.indices {
            let exact = Double(gate[i]) / (1 + exp(-Double(gate[i]))) * Double(up[i])
            // Below -88, exp(-gate) has overflowed or the quotient is subnormal.
            let slack = gate[i] < -86 ? 1e-35 : exact.magnitude * 4e-7
            #expect((Double(y[i]) - exact).magnitude <= slack, "gate \(gate[i])")
        }
        var special: [Float] = [.infinity, -.infinity, .nan, 0]
        level.kernels.silu_mul(&special, special, [1, 1, 1, 1], 4)
        #expect(special[0] == .infinity)
        #expect(special[2].isNaN)
        #expect(special[3] == 0)
    }

    @Test("levels have names, others have none")
    func names() {
        #expect(kernelLevels.first?.description == "portable")
        #expect(kernelLevels.contains { $0.number == cpu_kernels_best() })
        #expect(cpu_kernels_get(Int32(CPU_KERNELS_LEVELS)) == nil)
        #expect(cpu_kernels_get(-1) == nil)
        #expect(cpu_kernels_name(99) == nil)
    }
}
