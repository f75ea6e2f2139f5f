import HexagonRPC

/// Random values that are the same in every run (SplitMix64).
struct RandomSource: RandomNumberGenerator {
    private var state: UInt64
    /// Sequences and strings are shorter than this; 0 and 1 make them all empty.
    var limit = 5

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    mutating func length() -> Int { Int.random(in: 0..<max(1, limit), using: &self) }

    mutating func text() -> String {
        String((0..<length()).map { _ in "aäöü€😀z".randomElement(using: &self) ?? "a" })
    }

    mutating func make<Value: Arbitrary>(_ type: Value.Type = Value.self) -> Value { .random(&self) }

    mutating func array<Value: Arbitrary>(
        _ type: Value.Type = Value.self, count: Int? = nil
    ) -> [Value] {
        (0..<(count ?? length())).map { _ in .random(&self) }
    }
}

/// A value of the generated stub that can be made at random, and the room that it needs when it comes back.
protocol Arbitrary: RemoteValue, Equatable {
    static func random(_ source: inout RandomSource) -> Self
    var room: Capacity { get }
    static func room(for values: [Self]) -> SequenceCapacity
}

extension Arbitrary where Self: WireValue {
    var room: Void { () }
    static func room(for values: [Self]) -> Int { values.count }
}

extension Arbitrary where SequenceCapacity == [Capacity] {
    static func room(for values: [Self]) -> [Capacity] { values.map(\.room) }
}

extension Arbitrary where Self: FixedWidthInteger {
    static func random(_ source: inout RandomSource) -> Self { Self(truncatingIfNeeded: source.next()) }
}

extension UInt8: Arbitrary {}
extension UInt16: Arbitrary {}
extension UInt32: Arbitrary {}
extension UInt64: Arbitrary {}
extension Int16: Arbitrary {}
extension Int32: Arbitrary {}
extension Int64: Arbitrary {}

// Numbers only: what is no number equals nothing.
extension Float: Arbitrary {
    static func random(_ source: inout RandomSource) -> Float { Float(Int16.random(&source)) / 8 }
}

extension Double: Arbitrary {
    static func random(_ source: inout RandomSource) -> Double { Double(Int32.random(&source)) / 8 }
}

extension Bool: Arbitrary {
    static func random(_ source: inout RandomSource) -> Bool { Bool.random(using: &source) }
}

extension String: Arbitrary {
    static func random(_ source: inout RandomSource) -> String { source.text() }
    var room: Int { utf8.count + 1 }
}

extension WideString: Arbitrary {
    static func random(_ source: inout RandomSource) -> WideString { WideString(source.text()) }
    var room: Int { text.utf16.count + 1 }
}

extension DMAHandle: Arbitrary {
    /// The implementation knows that offsets are sixteen times the descriptor.
    static func random(_ source: inout RandomSource) -> DMAHandle {
        let descriptor = CInt.random(in: 1...1000, using: &source)
        return DMAHandle(descriptor: descriptor, offset: UInt32(16 * descriptor), length: 4096)
    }
    var room: DMAHandle { self }
}

extension Array: Arbitrary where Element: Arbitrary {
    static func random(_ source: inout RandomSource) -> [Element] { source.array() }
    var room: Element.SequenceCapacity { Element.room(for: self) }
}

// MARK: Structs of every.idl

extension EveryBaseKind: Arbitrary {
    static func random(_ source: inout RandomSource) -> EveryBaseKind {
        EveryBaseKind(rawValue: UInt32.random(in: 0...1, using: &source))
    }
}

extension EveryBaseNamed: Arbitrary {
    static func random(_ source: inout RandomSource) -> EveryBaseNamed {
        EveryBaseNamed(id: source.make(), name: source.make())
    }
    var room: Capacity { Capacity(name: name.room) }
}

extension EveryL4: Arbitrary {
    static func random(_ source: inout RandomSource) -> EveryL4 { EveryL4(source.array(count: 4)) }
}

extension Int32x3: Arbitrary {
    static func random(_ source: inout RandomSource) -> Int32x3 { Int32x3(source.array(count: 3)) }
}

extension EveryGrid: Arbitrary {
    static func random(_ source: inout RandomSource) -> EveryGrid { EveryGrid(source.array(count: 2)) }
}

extension EveryPoint: Arbitrary {
    static func random(_ source: inout RandomSource) -> EveryPoint {
        EveryPoint(x: source.make(), y: source.make(), z: source.make())
    }
}

extension EveryFlat: Arbitrary {
    static func random(_ source: inout RandomSource) -> EveryFlat {
        EveryFlat(
            kind: source.make(), on: source.make(), rows: source.array(count: 2),
            corners: source.array(count: 2))
    }
}

extension EveryBlob: Arbitrary {
    static func random(_ source: inout RandomSource) -> EveryBlob {
        EveryBlob(kind: source.make(), data: source.make(), stamp: source.make())
    }
    var room: Capacity { Capacity(data: data.room) }
}

extension EveryInner: Arbitrary {
    static func random(_ source: inout RandomSource) -> EveryInner {
        EveryInner(x: source.make(), l: source.make())
    }
    var room: Capacity { Capacity(l: l.room) }
}

extension EveryOuter: Arbitrary {
    static func random(_ source: inout RandomSource) -> EveryOuter {
        EveryOuter(z: source.make(), a: source.make(), t: source.make())
    }
    var room: Capacity { Capacity(a: a.room) }
}

extension EveryWrap: Arbitrary {
    static func random(_ source: inout RandomSource) -> EveryWrap {
        EveryWrap(k: source.make(), i: source.make())
    }
    var room: Capacity { Capacity(i: i.room) }
}

extension EveryTexts: Arbitrary {
    static func random(_ source: inout RandomSource) -> EveryTexts {
        EveryTexts(a: source.make(), b: source.make(), c: source.make(), d: source.make())
    }
    var room: Capacity { Capacity(a: a.room, b: b.utf16.count + 1, c: c.room, d: d.room) }
}

extension EveryMixed: Arbitrary {
    static func random(_ source: inout RandomSource) -> EveryMixed {
        EveryMixed(
            flat: source.make(), flats: source.make(), rows: source.make(), bits: source.make(),
            kind: source.make(), texts: source.make())
    }
    var room: Capacity {
        Capacity(flats: flats.room, rows: rows.room, bits: bits.room, texts: texts.room)
    }
}

extension EveryRegion: Arbitrary {
    static func random(_ source: inout RandomSource) -> EveryRegion {
        EveryRegion(tag: source.make(), memory: source.make(), label: source.make())
    }
    var room: Capacity { Capacity(memory: memory, label: label.room) }
}
