import HexagonRPC

/// Answers `every.idl` in Swift as the generated C does: with what was sent, and a changed first byte where a
/// value goes both ways.
struct EveryMirror: EveryService, Sendable {
    func none() {}

    func cstruct(
        a: UInt8, n: EveryBaseNamed, mCapacity: EveryBaseNamed.Capacity
    ) -> (m: EveryBaseNamed, o: UInt8) { (n, a) }

    func getowner(valueCapacity: EveryBaseNamed.Capacity) -> EveryBaseNamed {
        EveryBaseNamed(id: 0, name: "")
    }

    func scalars(a: UInt8, b: Int64, c: Int16) -> (d: UInt8, e: Int64, f: Int16) { (a, b, c) }

    func reals(
        a: Float, b: Double, c: Bool, d: EveryBaseKind
    ) -> (e: Float, f: Double, g: Bool, h: EveryBaseKind) { (a, b, c, d) }

    func tail(a: UInt64, b: Int32) -> (c: Int32, d: UInt16) { (b, 10) }

    func longs(a: [Int32], bCount: Int) -> (b: [Int32], r: Int64) { (a, 10) }

    func str(
        a: String, bCapacity: Int, c: inout String, cCapacity: Int
    ) throws(RemoteCallError) -> String {
        try require(c.utf8.count < cCapacity)
        c = flipped(c)
        return bCapacity == 0 ? "" : a
    }

    func wide(
        a: String, bCapacity: Int, c: [UInt16], dCount: Int
    ) -> (b: String, d: [UInt16]) { (a, c) }

    func pts(p: EveryPoint, r: inout EveryPoint) -> EveryPoint {
        r.x ^= 1
        return p
    }

    func points(a: [EveryPoint], bCount: Int, c: inout [EveryPoint]) -> [EveryPoint] {
        if !c.isEmpty { c[0].x ^= 1 }
        return a
    }

    func io(a: inout Int32, b: inout [Int16], c: EveryBaseKind, d: Bool) throws(RemoteCallError) {
        try require(c == .fancy && d)
        a ^= 1
        if !b.isEmpty { b[0] ^= 1 }
    }

    func layout(a: EveryFlat, o: UInt8) -> EveryFlat { a }
    func fixedArray(a: [Int32], o: UInt8) -> [Int32] { a }
    func deep(a: [EveryOuter], bCapacities: [EveryOuter.Capacity], c: Int32) -> [EveryOuter] { a }
    func wrap(a: EveryWrap, bCapacity: EveryWrap.Capacity, c: UInt8) -> (b: EveryWrap, d: UInt8) { (a, c) }

    func lists(
        a: [[UInt8]], bCapacities: [Int], c: [UInt8], dCount: Int
    ) throws(RemoteCallError) -> (b: [[UInt8]], d: [UInt8]) {
        try require(bCapacities == a.map(\.count) && dCount == c.count)
        return (a, c)
    }

    func strings(a: [String], bCapacities: [Int]) -> [String] { a }

    func words(
        a: [WideString], bCapacities: [Int], c: [[WideString]], dCapacities: [[Int]]
    ) -> (b: [WideString], d: [[WideString]]) { (a, c) }

    func blobs(a: [EveryBlob], bCapacities: [EveryBlob.Capacity]) -> [EveryBlob] { a }
    func texts(a: EveryTexts, bCapacity: EveryTexts.Capacity) -> EveryTexts { a }

    func mixed(
        a: [EveryMixed], bCapacities: [EveryMixed.Capacity], c: EveryMixed, dCapacity: EveryMixed.Capacity
    ) throws(RemoteCallError) -> (b: [EveryMixed], d: EveryMixed) {
        try require(bCapacities == a.map(\.room) && dCapacity == c.room)
        return (a, c)
    }

    func grid(
        a: [Int32x3], c: inout [Int32x3], d: [EveryGrid], eCount: Int, f: inout [EveryL4]
    ) -> (b: [Int32x3], e: [EveryGrid]) {
        c[0].elements[0] ^= 1
        if !f.isEmpty { f[0].elements[0] ^= 1 }
        return (a, d)
    }

    func both(
        a: inout Bool, b: inout [Bool], c: inout EveryBaseKind, d: inout [EveryBaseKind],
        e: inout EveryFlat, f: inout [EveryFlat], g: inout String, gCapacity: Int, h: inout String,
        hCapacity: Int, i: inout [Double], j: inout [Int32]
    ) {
        a.toggle()
        if !b.isEmpty { b[0].toggle() }
        c.rawValue ^= 1
        if !d.isEmpty { d[0].rawValue ^= 1 }
        e.kind.rawValue ^= 1
        if !f.isEmpty { f[0].kind.rawValue ^= 1 }
        g = flipped(g)
        h = flipped(h)
        if !i.isEmpty { i[0] = Double(bitPattern: i[0].bitPattern ^ 1) }
        j[0] ^= 1
    }

    func fire(a: Int32, b: [UInt8], callCount: Int) -> [UInt8] { b }
    func gettitle(valueCapacity: Int) -> String { "" }
    func settitle(value: String) {}
    func getspeed() -> Int32 { 0 }
    func setspeed(value: Int32) {}
    func m31(a: Int64) -> UInt8 { 32 }
    func m32() {}
    func m33(a: [UInt8]) {}

    func dma(a: DMAHandle, b: Int32, c: DMAHandle) throws(RemoteCallError) { try check([a, c]) }

    func slices(
        a: [DMAHandle], b: [DMAHandle], c: [[DMAHandle]], dCapacities: [[DMAHandle]]
    ) throws(RemoteCallError) -> [[DMAHandle]] {
        try check(a + b + c.joined() + dCapacities.joined())
        return c
    }

    func regions(
        a: EveryRegion, bCapacity: EveryRegion.Capacity, c: [EveryRegion],
        dCapacities: [EveryRegion.Capacity]
    ) throws(RemoteCallError) -> (b: EveryRegion, d: [EveryRegion]) {
        try check([a.memory, bCapacity.memory] + c.map(\.memory) + dCapacities.map(\.memory))
        return (a, c)
    }

    /// Handles arrived whole: the client's offsets are sixteen times their descriptor.
    private func check(_ handles: [DMAHandle]) throws(RemoteCallError) {
        try require(handles.allSatisfy { $0.offset == 16 * $0.descriptor })
    }

    private func require(_ condition: Bool) throws(RemoteCallError) {
        guard condition else { throw RemoteCallError(.failed, operation: "mirror a call") }
    }

    /// The client's texts begin with an `a`, if at all.
    private func flipped(_ text: String) -> String { text.hasPrefix("a") ? "`" + text.dropFirst() : text }
}
