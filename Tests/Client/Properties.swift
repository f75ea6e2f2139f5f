import ArgumentParser
import Glibc
import HexagonRPC

/// Calls every method of `every.idl` with random values and compares what comes back with what must.
struct PropertiesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "properties")
    @Option(help: "The skel as a library of this host; without it a session's.") var library: String?
    @Option var transport = TransportChoice.automatic
    @Option var rounds = 100
    @Flag(help: "Also call what takes handles, with descriptors that are none.") var handles = false

    func run() async throws {
        if let library {
            try await check(Every(try LoadedSkel(library, symbol: Every<LoadedSkel>.skelSymbol)))
        } else {
            let session = try Session(try transport.transport(), SessionConfiguration())
            try await check(Every(try session.open(ModuleURI(interface: "every"))))
            session.close()
        }
        print("\(rounds) rounds")
    }

    private func check<Handle: AsyncRemoteInvoker & Sendable & ~Copyable>(
        _ every: consuming Every<Handle>
    ) async throws {
        let properties = Properties(every)
        for round in 0..<rounds {
            var source = RandomSource(seed: UInt64(round))
            source.limit = round % 6
            try properties.flat(&source)
            try properties.buffers(&source)
            try properties.nested(&source)
            try properties.exchanged(&source)
            try properties.attributes(&source)
            if handles { try properties.handles(&source) }
            try await properties.tasks(&source)
        }
        try await properties.manyTasks()
    }
}

/// A skel in this process. It cannot be copied, like a real handle.
struct LoadedSkel: AsyncRemoteInvoker, Sendable, ~Copyable {
    private typealias Function = @convention(c) (UInt64, UInt32, UnsafeMutableRawPointer?) -> CInt
    private let function: Function

    init(_ path: String, symbol: String) throws {
        guard let library = dlopen(path, RTLD_NOW), let address = dlsym(library, symbol) else {
            throw Tour.Mismatch(dlerror().map { String(cString: $0) } ?? path)
        }
        function = unsafeBitCast(address, to: Function.self)
    }

    func invoke(
        _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) {
        try Self.call(function, scalars, arguments)
    }

    func invokeAsync(
        _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) async throws(RemoteCallError) {
        let function = function
        nonisolated(unsafe) let arguments = arguments
        try await CallThread.run { () throws(RemoteCallError) in
            try Self.call(function, scalars, arguments)
        }
    }

    private static func call(
        _ function: Function, _ scalars: Scalars, _ arguments: UnsafeMutableBufferPointer<RemoteArgument>
    ) throws(RemoteCallError) {
        let status = function(77, scalars.rawValue, arguments.baseAddress)
        guard status == 0 else {
            throw RemoteCallError(AEEResult(rawValue: UInt32(bitPattern: status)), operation: "\(scalars)")
        }
    }
}

/// What must hold for the implementation that the tests generate. A class, so that tasks can share the stub.
final class Properties<Handle: AsyncRemoteInvoker & Sendable & ~Copyable>: Sendable {
    let every: Every<Handle>

    init(_ every: consuming Every<Handle>) { self.every = every }

    /// Values and flat sequences as arrays.
    func flat(_ source: inout RandomSource) throws {
        try every.none()
        let (a, b, c): (UInt8, Int64, Int16) = (source.make(), source.make(), source.make())
        try expect(try every.scalars(a: a, b: b, c: c) == (a, b, c), "scalars")
        let (e, f, g, h): (Float, Double, Bool, EveryBaseKind) =
            (source.make(), source.make(), source.make(), source.make())
        try expect(try every.reals(a: e, b: f, c: g, d: h) == (e, f, g, h), "reals")
        let tail = try every.tail(a: source.make(), b: 5)
        try expect(tail == (5, 10), "tail")
        let longs: [Int32] = source.make()
        try expect(try every.longs(a: longs, bCount: longs.count) == (longs, 10), "longs")
        let (text, wide, units): (String, String, [UInt16]) = (source.make(), source.make(), source.make())
        let answer = try every.wide(
            a: wide, bCapacity: wide.utf16.count + 1, c: units, dCount: units.count)
        try expect(answer == (wide, units), "wide")
        var exchanged = "a" + text
        let returned = try every.str(
            a: text, bCapacity: text.room, c: &exchanged, cCapacity: exchanged.room)
        try expect(returned == text && exchanged == "`" + text, "str")
        let point: EveryPoint = source.make()
        var other: EveryPoint = source.make()
        let changed = EveryPoint(x: other.x ^ 1, y: other.y, z: other.z)
        try expect(try every.pts(p: point, r: &other) == point && other == changed, "pts")
        let points: [EveryPoint] = source.make()
        var others = [changed]
        try expect(try every.points(a: points, bCount: points.count, c: &others) == points, "points")
        try expect(others == [EveryPoint(x: changed.x ^ 1, y: changed.y, z: changed.z)], "points")
        let flat: EveryFlat = source.make()
        try expect(try every.layout(a: flat, o: a) == flat, "layout")
        let four: [Int32] = source.array(count: 4)
        try expect(try every.fixedArray(a: four, o: a) == four, "fixedArray")
        try expect(try every.m31(a: b) == 32, "m31")
        try every.m32()
        try every.m33(a: source.make())
        let octets: [UInt8] = source.make()
        try expect(try every.fire(a: 1, b: octets, callCount: octets.count) == octets, "fire")
    }

    /// The same memory there and back.
    func buffers(_ source: inout RandomSource) throws {
        let longs: [Int32] = source.make()
        var answer = [Int32](repeating: 0, count: longs.count)
        let sum = try longs.withUnsafeBufferPointer { sent in
            try answer.withUnsafeMutableBufferPointer { try every.longs(a: sent, b: $0) }
        }
        try expect(sum == 10 && answer == longs, "longs in buffers")
        var shorts: [Int16] = source.make()
        var number: Int32 = source.make()
        let (before, numberBefore) = (shorts, number)
        try shorts.withUnsafeMutableBufferPointer { try every.io(a: &number, b: $0, c: .fancy, d: true) }
        try expect(shorts == Self.flipped(before) && number == numberBefore ^ 1, "io in buffers")
    }

    private static func flipped<Value: FixedWidthInteger>(_ values: [Value]) -> [Value] {
        values.enumerated().map { $0 == 0 ? $1 ^ 1 : $1 }
    }

    /// Structs and sequences with data of their own.
    func nested(_ source: inout RandomSource) throws {
        let outers: [EveryOuter] = source.make()
        try expect(try every.deep(a: outers, bCapacities: outers.room, c: 3) == outers, "deep")
        let wrap: EveryWrap = source.make()
        try expect(try every.wrap(a: wrap, bCapacity: wrap.room, c: 7) == (wrap, 7), "wrap")
        let (lists, list): ([[UInt8]], [UInt8]) = (source.make(), source.make())
        let answer = try every.lists(a: lists, bCapacities: lists.room, c: list, dCount: list.count)
        try expect(answer == (lists, list), "lists")
        let texts: [String] = source.make()
        try expect(try every.strings(a: texts, bCapacities: texts.room) == texts, "strings")
        let (words, more): ([WideString], [[WideString]]) = (source.make(), source.make())
        let wide = try every.words(a: words, bCapacities: words.room, c: more, dCapacities: more.room)
        try expect(wide == (words, more), "words")
        let named: EveryBaseNamed = source.make()
        let name = try every.cstruct(a: 9, n: named, mCapacity: named.room)
        try expect(name == (named, 9), "cstruct")
        let blobs: [EveryBlob] = source.make()
        try expect(try every.blobs(a: blobs, bCapacities: blobs.room) == blobs, "blobs")
        let text: EveryTexts = source.make()
        try expect(try every.texts(a: text, bCapacity: text.room) == text, "texts")
        let (many, one): ([EveryMixed], EveryMixed) = (source.make(), source.make())
        let mixed = try every.mixed(
            a: many, bCapacities: many.room, c: one, dCapacity: one.room)
        try expect(mixed == (many, one), "mixed")
        let (grid, grids): (EveryGrid, [EveryGrid]) = (source.make(), source.make())
        var exchanged = grid.elements
        var rows: [EveryL4] = source.make()
        let rowsBefore = rows
        let answered = try every.grid(
            a: grid.elements, c: &exchanged, d: grids, eCount: grids.count, f: &rows)
        try expect(answered == (grid.elements, grids), "grid")
        var changed = grid.elements
        changed[0].elements[0] ^= 1
        try expect(exchanged == changed, "grid, there and back")
        var wanted = rowsBefore
        if !wanted.isEmpty { wanted[0].elements[0] ^= 1 }
        try expect(rows == wanted, "rows, there and back")
    }

    /// What goes both ways.
    func exchanged(_ source: inout RandomSource) throws {
        var (a, b): (Bool, [Bool]) = (source.make(), source.make())
        var (c, d): (EveryBaseKind, [EveryBaseKind]) = (source.make(), source.make())
        var (e, f): (EveryFlat, [EveryFlat]) = (source.make(), source.make())
        var (g, h) = ("a" + source.text(), "a" + source.text())
        var (i, j): ([Double], [Int32]) = (source.make(), source.array(count: 4))
        let before = (a, b, c, d, e, f, g, h, i, j)
        try every.both(
            a: &a, b: &b, c: &c, d: &d, e: &e, f: &f, g: &g, gCapacity: g.room, h: &h,
            hCapacity: h.utf16.count + 1, i: &i, j: &j)
        func flipped(_ kind: EveryBaseKind) -> EveryBaseKind { EveryBaseKind(rawValue: kind.rawValue ^ 1) }
        func flipped(_ flat: EveryFlat) -> EveryFlat {
            var flat = flat
            flat.kind = flipped(flat.kind)
            return flat
        }
        func first<Value>(of values: [Value], _ change: (Value) -> Value) -> [Value] {
            values.enumerated().map { $0 == 0 ? change($1) : $1 }
        }
        try expect(a == !before.0 && b == first(of: before.1) { !$0 }, "booleans, there and back")
        try expect(c == flipped(before.2) && d == first(of: before.3, flipped), "kinds, there and back")
        try expect(e == flipped(before.4) && f == first(of: before.5, flipped), "structs, there and back")
        try expect(g == "`" + before.6.dropFirst() && h == "`" + before.7.dropFirst(), "texts, both ways")
        let wanted = first(of: before.8) { Double(bitPattern: $0.bitPattern ^ 1) }
        try expect(i == wanted && j == Self.flipped(before.9), "numbers, there and back")
    }

    func attributes(_ source: inout RandomSource) throws {
        try every.settitle(value: source.make())
        try expect(try every.gettitle(valueCapacity: 5).isEmpty, "an empty title")
        try every.setspeed(value: source.make())
        let owner = try every.getowner(valueCapacity: EveryBaseNamed.Capacity(name: 5))
        try expect(owner == EveryBaseNamed(id: 0, name: ""), "owner")
    }

    func handles(_ source: inout RandomSource) throws {
        try every.dma(a: source.make(), b: 1, c: source.make())
        // A call carries at most 15 handles each way.
        source.limit = min(source.limit, 3)
        let slices: [[DMAHandle]] = source.make()
        let answer = try every.slices(a: source.make(), b: source.make(), c: slices, dCapacities: slices)
        try expect(answer == slices, "slices")
        let (region, regions): (EveryRegion, [EveryRegion]) = (source.make(), source.make())
        let answers = try every.regions(
            a: region, bCapacity: region.room, c: regions, dCapacities: regions.room)
        try expect(answers == (region, regions), "regions")
    }

    /// The methods for tasks.
    func tasks(_ source: inout RandomSource) async throws {
        try await every.none()
        let longs: [Int32] = source.make()
        let sum = try await every.longs(a: longs, bCount: longs.count)
        try expect(sum == (longs, 10), "longs in a task")
        let mixed: EveryMixed = source.make()
        let answer = try await every.mixed(
            a: [mixed], bCapacities: [mixed.room], c: mixed, dCapacity: mixed.room)
        try expect(answer == ([mixed], mixed), "mixed in a task")
        var text = "abc"
        let empty = try await every.str(a: "", bCapacity: 0, c: &text, cCapacity: 4)
        try expect(empty.isEmpty && text == "`bc", "str in a task")
    }

    /// More calls at once than the cooperative pool has threads.
    func manyTasks() async throws {
        for _ in 0..<4 {
            async let a = every.scalars(a: 1, b: 2, c: 3)
            async let b = every.strings(a: ["x", ""], bCapacities: [2, 1])
            async let c = every.m31(a: 4)
            async let d = every.fixedArray(a: [1, 2, 3, 4], o: 5)
            let (first, second, third, fourth) = try await (a, b, c, d)
            try expect(first == (1, 2, 3) && second == ["x", ""], "scalars and strings at once")
            try expect(third == 32 && fourth == [1, 2, 3, 4], "m31 and fixedArray at once")
        }
    }
}
