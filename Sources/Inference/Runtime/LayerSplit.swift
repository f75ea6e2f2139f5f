/// Which device holds each part of a model: its layers in their order, and then what follows the last one.
package struct LayerSplit: Sendable {
    /// What a part needs in a session.
    package struct Part: Sendable {
        /// Bytes of repacked matrices.
        package var modelBytes = 0
        /// Bytes of the cache with a full context.
        package var contextBytes = 0
        /// Bytes of vectors and commands.
        package var otherBytes = 0

        var byteCount: Int { modelBytes + contextBytes + otherBytes }

        package init(modelBytes: Int = 0) { self.modelBytes = modelBytes }
    }

    /// What a session can hold.
    package struct Room: Sendable {
        /// Bytes of parts.
        package var byteCount: Int
        /// Bytes that it needs besides if it holds the last part.
        package var lastPartBytes: Int

        package init(byteCount: Int, lastPartBytes: Int) {
            (self.byteCount, self.lastPartBytes) = (byteCount, lastPartBytes)
        }
    }

    /// For each part the session that holds it, by its number; nil for the CPU.
    package let sessions: [Int?]

    /// Divides parts among sessions, which get neighbours each and are filled to the same share of their room. What
    /// does not fit stays on the CPU: the first layers, and parts that are too large for any session.
    package init(_ parts: [Part], among rooms: [Room]) {
        func complete(_ split: [Int?]) -> Bool {
            zip(parts.indices, split).allSatisfy { $1 != nil || !Self.fits(parts, $0, rooms) }
        }
        var best = Self.fill(parts, rooms, share: 1)
        if complete(best) {
            // The smallest share with which all find a place.
            var (low, high) = (0.0, 1.0)
            for _ in 0..<30 {
                let share = (low + high) / 2
                let split = Self.fill(parts, rooms, share: share)
                if complete(split) { (best, high) = (split, share) } else { low = share }
            }
        }
        sessions = best
    }

    /// Parts that no session holds.
    var homeless: [Int] { sessions.indices.filter { sessions[$0] == nil } }

    /// Whether a session can hold a part alone.
    private static func fits(_ parts: [Part], _ part: Int, _ rooms: [Room]) -> Bool {
        rooms.contains { need(parts, part, $0) <= $0.byteCount }
    }

    private static func need(_ parts: [Part], _ part: Int, _ room: Room) -> Int {
        parts[part].byteCount + (part == parts.count - 1 ? room.lastPartBytes : 0)
    }

    /// Fills the sessions from the last to the first, each up to a share of its room, with parts from the last to the
    /// first.
    private static func fill(_ parts: [Part], _ rooms: [Room], share: Double) -> [Int?] {
        var split = [Int?](repeating: nil, count: parts.count)
        var session = rooms.count - 1
        var used = 0
        for part in parts.indices.reversed() where fits(parts, part, rooms) {
            while session >= 0 {
                let need = need(parts, part, rooms[session])
                if used + need <= Int(Double(rooms[session].byteCount) * share) {
                    split[part] = session
                    used += need
                    break
                }
                session -= 1
                used = 0
            }
        }
        return split
    }
}
