import GGUF
import Glibc
import HTPDevice
import HexagonRPC
import Models
import Runtime
import TestSupport
import Testing
import VirtualDSP

/// Key/value caches of every type, with windows, on the CPU and in the memory of a DSP.
@Suite("Key/value cache") struct CacheTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func executor(
        _ name: String, keys: CacheType = .f32, values: CacheType? = nil, threads: Int = 2,
        contextLength: Int = 256, batch: Int = 512, isOnDSP: Bool = false, placement: Placement = .all
    ) throws -> Executor {
        let path = folder.path("\(name).gguf")
        if access(path, F_OK) != 0 { try TestModel.model(name).write(to: path) }
        let file = try GGUFFile(path: path)
        var options = Executor.Options(
            threads: threads, contextLength: contextLength, batch: min(batch, contextLength))
        (options.keyType, options.valueType) = (keys, values ?? keys)
        options.placement = placement
        let devices = isOnDSP ? [try ProductTests.device("simulator")] : []
        return try Executor(try Architecture.graph(of: file), file: file, devices: devices, options: options)
    }

    private static func token(_ index: Int) -> Int32 { Int32(40 + index * 7919 % 200) }

    /// Logits after each of some pieces of a text.
    private static func logits(_ executor: Executor, _ pieces: [Int], from start: Int = 0) throws -> [Float] {
        var position = start
        return try pieces.flatMap { count in
            defer { position += count }
            return Array(
                try executor.evaluate((position..<position + count).map(token), outputs: .last, .prompt))
        }
    }

    @Test(arguments: ["llama", "gemma3", "gpt-oss"], CacheType.allCases)
    func threadsChangeNothing(_ name: String, _ type: CacheType) throws {
        let pieces = [150, 1, 70, 3, 1, 1, 500, 1, 1]
        let one = try executor(name, keys: type, threads: 1, contextLength: 800)
        let expected = try Self.logits(one, pieces).map(\.bitPattern)
        for threads in [2, 3, 7] {
            let other = try executor(name, keys: type, threads: threads, contextLength: 800)
            for _ in 0..<2 {
                #expect(try Self.logits(other, pieces).map(\.bitPattern) == expected, "\(threads) threads")
                other.rewind(to: 0)
            }
        }
    }

    /// How far logits are from those with a cache in single precision: on the CPU, and on a DSP from the DSP's own.
    @Test(arguments: ["llama", "gemma2", "gemma3", "qwen2", "mistral3"], CacheType.allCases)
    func typesAreClose(_ name: String, _ type: CacheType) throws {
        let bounds: [CacheType: Double] = [.f32: 0, .f16: 1e-5, .q8_0: 1e-3, .q4_0: 0.2]
        let pieces = [40, 1, 1, 20, 1]
        for isOnDSP in [false, true] {
            let exact = try Self.logits(executor(name, isOnDSP: isOnDSP), pieces)
            let found = try Self.logits(executor(name, keys: type, isOnDSP: isOnDSP), pieces)
            let error = normalizedError(found, expected: exact)
            print("\(name) \(type) \(isOnDSP ? "DSP" : "CPU"): NMSE \(error)")
            // Eight-bit activations of a DSP fall to the other side now and then.
            #expect(error <= (bounds[type] ?? 0) + (isOnDSP && type != .f32 ? 1e-3 : 0))
        }
    }

    @Test(arguments: CacheType.allCases) func sidesShareACache(_ type: CacheType) throws {
        // The prompt on the DSP, what follows on the CPU, in one cache; then everything on the CPU.
        let both = try executor("gemma3", keys: type, isOnDSP: true, placement: .prompt)
        let alone = try executor("gemma3", keys: type)
        _ = try both.evaluate((0..<30).map(Self.token), outputs: .last, .prompt)
        _ = try alone.evaluate((0..<30).map(Self.token), outputs: .last, .prompt)
        for index in 30..<50 {
            let found = Array(try both.evaluate([Self.token(index)], outputs: .last, .generation))
            let expected = Array(try alone.evaluate([Self.token(index)], outputs: .last, .generation))
            #expect(normalizedError(found, expected: expected) < (type == .q4_0 ? 0.2 : 2e-3))
        }
    }

    @Test func keysAndValuesMayDiffer() throws {
        for (keys, values) in [(CacheType.f16, CacheType.q8_0), (.q8_0, .f32), (.q4_0, .f16)] {
            let pieces = [33, 1, 1]
            let exact = try Self.logits(executor("llama"), pieces)
            for isOnDSP in [false, true] {
                let found = try Self.logits(
                    executor("llama", keys: keys, values: values, isOnDSP: isOnDSP), pieces)
                #expect(normalizedError(found, expected: exact) < 0.1)
            }
        }
    }

    // MARK: Windows

    /// Layers that hold only their window give the bits of those that hold everything.
    @Test(arguments: ["gemma2", "gemma3", "gpt-oss"], CacheType.allCases)
    func windowsAreEnough(_ name: String, _ type: CacheType) throws {
        for isOnDSP in [false, true] { try windowsAreEnough(name, type, isOnDSP: isOnDSP) }
    }

    private func windowsAreEnough(_ name: String, _ type: CacheType, isOnDSP: Bool) throws {
        // A window of eight: a batch of five makes rings of 13 positions, one of the context none.
        let pieces =
            [5, 5, 4, 1, 1, 5, 5, 3] + Array(repeating: 1, count: 12) + Array(repeating: 5, count: 20)
        let whole = try executor(name, keys: type, isOnDSP: isOnDSP)
        let ring = try executor(name, keys: type, batch: 5, isOnDSP: isOnDSP)
        let (wholeBytes, ringBytes) =
            isOnDSP
            ? (whole.deviceGraphs[0].cacheBytes, ring.deviceGraphs[0].cacheBytes)
            : (whole.cacheBytes, ring.cacheBytes)
        #expect(ringBytes < wholeBytes * 2 / 3)
        let expected = try Self.logits(whole, pieces).map(\.bitPattern)
        #expect(try Self.logits(ring, pieces).map(\.bitPattern) == expected)
        // Again, after everything was forgotten.
        ring.rewind(to: 0)
        #expect(try Self.logits(ring, pieces).map(\.bitPattern) == expected)
    }

    @Test(arguments: [false, true]) func whatARingHasLostCannotBeRewoundTo(isOnDSP: Bool) throws {
        let ring = try executor("gemma3", batch: 5, isOnDSP: isOnDSP)
        #expect(ring.canRewind(to: 0) && !ring.canRewind(to: 1))
        let pieces = Array(repeating: 5, count: 20)
        _ = try Self.logits(ring, pieces)
        // Of 13 positions, 87 to 99 are there; a token at p sees p - 7 to p.
        #expect((1..<94).allSatisfy { !ring.canRewind(to: $0) })
        #expect((94...100).allSatisfy(ring.canRewind))
        #expect(!ring.canRewind(to: 101) && ring.canRewind(to: 0))
        let expected = try Self.logits(ring, [1, 5, 1], from: 100)
        // At 107 positions those from 94 on are there.
        #expect(!ring.canRewind(to: 100) && ring.canRewind(to: 101))
        #expect(ring.rewind(toPrefixOf: (0..<100).map(Self.token)) == 0)
        _ = try Self.logits(ring, pieces)
        #expect(ring.rewind(toPrefixOf: (0..<97).map(Self.token) + [3, 4]) == 97)
        #expect(try Self.logits(ring, [3], from: 97).count > 0)
        #expect(try Self.logits(ring, [1, 5, 1], from: 100).map(\.bitPattern) == expected.map(\.bitPattern))
        // All but the last, so that there is something to compute.
        #expect(ring.rewind(toPrefixOf: (0..<107).map(Self.token)) == 106)
        #expect(ring.rewind(toPrefixOf: [7]) == 0)
    }

    // MARK: What cannot be

    @Test(arguments: [CacheType.q8_0, .q4_0]) func blocksNeedWholeHeads(_ type: CacheType) throws {
        // Heads of 16 elements.
        for (keys, values) in [(type, CacheType.f32), (.f16, type)] {
            do {
                _ = try executor("phi3", keys: keys, values: values)
                Issue.record("heads of 16 elements in blocks of 32")
            } catch let error as RuntimeError {
                #expect(
                    error.description.contains("\(type.rawValue) needs heads of a multiple of 32 elements"))
                #expect(error.description.contains("this model's have 16"))
            }
        }
    }

    /// The planner counts every type, to the byte.
    @Test(arguments: CacheType.allCases) func plansCountTheBytes(_ type: CacheType) throws {
        let perHead: [CacheType: Int] = [.f32: 128, .f16: 64, .q8_0: 36, .q4_0: 20]
        // Two key/value heads of 32 elements; of gemma3's seven layers six have a window of 8.
        for (name, positions) in [("llama", 2 * 256), ("gemma3", 256 + 6 * (8 + 4))] {
            let executor = try executor(name, keys: type, values: .f32, batch: 4, isOnDSP: true)
            let bytes = positions * 2 * ((perHead[type] ?? 0) + 128)
            #expect(executor.memoryPlan.sessions.map(\.contextBytes) == [bytes])
            #expect(executor.deviceGraphs.map(\.cacheBytes) == [bytes])
            #expect(try self.executor(name, keys: type, values: .f32, batch: 4).cacheBytes == bytes)
        }
    }
}
