import HTPDevice
import HTPInterface
import HexagonRPC
import TestSupport
import Testing
import VirtualDSP

/// The choice between plain floats and the vector unit's.
@Suite struct FloatArithmeticTests {
    @Test func theProgramChoosesOnlyWhatItHas() throws {
        let session = try Session(SimulatorTransport())
        let program = HTP(try session.open(ModuleURI(interface: "htp")))
        func code(_ wanted: UInt32) -> UInt32? {
            var code: UInt32?
            do {
                _ = try program.arithmetic(wanted: wanted)
            } catch {
                code = UInt32(truncatingIfNeeded: error.result.rawValue)
            }
            return code
        }
        #expect(code(1) == 0x0d)
        #expect(try program.arithmetic(wanted: 0).used == 0)
        try program.start(threads: 2)
        #expect(code(2) == 0x0e)
        #expect(try program.arithmetic(wanted: 1) == (used: 1, disagreement: 0))
        #expect(try program.arithmetic(wanted: 0) == (used: 0, disagreement: 0))
    }

    /// The same batch both ways: close, and not the same, or the second way was not taken.
    @Test(arguments: DeviceCache.Element.allCases)
    func operationsAreCloseToPlainOnes(element: DeviceCache.Element) throws {
        let fixture = try GraphFixture(seed: 12)
        let (tokens, width, heads, group, size, capacity) = (5, 301, 2, 3, 64, 40)
        func put(_ width: Int) throws -> GraphFixture.Tensor {
            try fixture.put(fixture.random.normals(tokens * width), width: width, gap: 1)
        }
        let x = try put(width), up = try put(width)
        let weight = try fixture.put(fixture.random.normals(width), width: width)
        let normed = fixture.room(tokens, width, gap: 3), activated = fixture.room(tokens, width)
        let softmax = fixture.room(tokens, width), scaled = fixture.room(tokens, width)
        let queries = try put(heads * group * size), keys = try put(heads * size),
            values = try put(heads * size)
        let angles = try put(size), attended = fixture.room(tokens, heads * group * size)
        let turned = fixture.room(tokens, heads * group * size)
        let caches = [fixture.bytes(1 << 16, stride: 0), fixture.bytes(1 << 16, stride: 0)]
        func results() throws -> [[Float]] {
            try fixture.run(BatchParameters(tokens: tokens, position: 33)) { builder, buffer, tensor in
                builder.norm(
                    tensor(x), width: width, epsilon: 1e-5, weight: tensor(weight), to: tensor(normed))
                builder.activate(
                    tensor(normed), .silu, times: tensor(up), width: width, to: tensor(activated))
                builder.softmax(tensor(x), width: width, scale: 3, to: tensor(softmax))
                builder.scale(tensor(x), by: 2, offset: 1, cap: 4, width: width, to: tensor(scaled))
                let turn = DeviceAngles(tensor(angles), pairs: size / 2, halves: true, byPosition: false)
                builder.rotate(
                    tensor(queries), heads: heads * group, size: size, by: turn, to: tensor(turned))
                let caches = caches.map {
                    DeviceCache(
                        buffer, offset: $0.offset, element: element, heads: heads, size: size,
                        capacity: capacity)
                }
                builder.store(tensor(keys), to: caches[0])
                builder.store(tensor(values), to: caches[1])
                builder.attention(
                    tensor(turned), keys: caches[0], values: caches[1],
                    BatchBuilder.AttentionShape(group: group, scale: 0.3), to: tensor(attended))
            }
            return try [normed, activated, softmax, scaled].map { try fixture.get($0, tokens, width) }
                + [turned, attended].map { try fixture.get($0, tokens, heads * group * size) }
        }
        let plain = try results()
        for device in fixture.devices {
            #expect(try device.setFloatArithmetic(.vector) == nil && device.floatArithmetic == .vector)
        }
        let vector = try results()
        for (index, (ours, theirs)) in zip(vector, plain).enumerated() {
            // Emulated RMS norms and turns are the same operations in the same order.
            #expect(ours != theirs || index == 0 || index == 4)
            // A stored code may be another one where it lies between two.
            let tolerance = index == 5 && element != .f32 ? 1e-6 : 1e-12
            #expect(normalizedError(ours, expected: theirs.map { Double($0) }) < tolerance)
        }
        for device in fixture.devices { #expect(try device.setFloatArithmetic(.plain) == nil) }
        #expect(try results() == plain)
    }
}
