import Runtime
import TestSupport
import Testing

@Suite("Layers of a model in several sessions") struct LayerSplitTests {
    private func split(_ parts: [Int], _ rooms: [Int], last: Int = 0) -> [Int?] {
        LayerSplit(
            parts.map { LayerSplit.Part(modelBytes: $0) },
            among: rooms.map { LayerSplit.Room(byteCount: $0, lastPartBytes: last) }
        ).sessions
    }

    @Test func equalSessionsGetEqualShares() {
        #expect(split([1, 1, 1, 1, 1, 1, 1, 1], [100, 100]) == [0, 0, 0, 0, 1, 1, 1, 1])
        #expect(split([1, 1, 1, 1, 1, 1], [100, 100, 100]) == [0, 0, 1, 1, 2, 2])
        // What follows the last layer is large.
        #expect(split([2, 2, 2, 2, 4], [100, 100]) == [0, 0, 0, 1, 1])
    }

    @Test func aLargerSessionGetsMore() {
        #expect(split([1, 1, 1, 1, 1, 1], [200, 100]) == [0, 0, 0, 0, 1, 1])
    }

    @Test func whatDoesNotFitStaysAtTheFront() {
        #expect(split([10, 10, 10, 10], [25]) == [nil, nil, 0, 0])
        #expect(split([10, 10, 10, 10, 10], [19, 19]) == [nil, nil, nil, 0, 1])
        #expect(split([10, 10], []) == [nil, nil])
        #expect(split([10, 10], [0, 0]) == [nil, nil])
    }

    @Test func aPartThatIsTooLargeStaysAlone() {
        #expect(split([10, 10, 10, 50], [35]) == [0, 0, 0, nil])
        // With what the last part needs besides.
        #expect(split([10, 10, 10], [35], last: 20) == [nil, nil, 0])
        #expect(split([10, 10, 10], [25], last: 20) == [0, 0, nil])
    }

    @Test func noSessionHoldsMoreThanItCan() {
        var generator = SeededGenerator(7)
        for _ in 0..<2000 {
            let parts = (0..<Int.random(in: 1...12, using: &generator)).map { _ in
                Int.random(in: 1...20, using: &generator)
            }
            let room = Int.random(in: 1...80, using: &generator)
            let rooms = Array(repeating: room, count: Int.random(in: 1...4, using: &generator))
            let found = split(parts, rooms)
            for session in rooms.indices {
                let own = parts.indices.filter { found[$0] == session }
                #expect(own.reduce(0) { $0 + parts[$1] } <= room)
            }
            // In order, and complete where the parts go in one after the other.
            let placed = found.compactMap { $0 }
            #expect(placed == placed.sorted())
            var (needed, used) = (1, 0)
            for part in parts.reversed() where part <= room {
                if used + part > room { (needed, used) = (needed + 1, 0) }
                used += part
            }
            if needed <= rooms.count {
                #expect(zip(parts, found).allSatisfy { ($1 == nil) == ($0 > room) }, "\(parts) in \(rooms)")
            }
        }
    }
}
