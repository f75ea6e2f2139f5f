/// Which part of a value a record on the wire holds.
///
/// Sequences and strings travel in buffers of their own; the record keeps their element counts. A value that
/// is sent has one record with everything in it. A value that is returned is split: its counts, which are
/// capacities, are sent in a record of counts only, and a record of scalars only comes back.
package enum RecordPart: Int, CaseIterable, Sendable {
    case full
    case counts
    case scalars
}

/// Size and alignment of something on the wire; nothing at all has size 0 and alignment 1.
package struct Extent: Hashable, Sendable {
    package var size: Int
    package var alignment: Int

    static let none = Extent(size: 0, alignment: 1)
    static let count = Extent(size: 4, alignment: 4)
    /// Counts on the wire are C's `int`, and so no value may be larger.
    static let sizeLimit = Int(Int32.max)
}

/// Places items one after the other at their natural alignment.
struct Placement {
    private(set) var size = 0
    private(set) var alignment = 1

    /// Returns the item's offset, or nil if the record grows too large.
    mutating func place(_ extent: Extent) -> Int? {
        let offset = roundUp(size, to: extent.alignment)
        guard offset + extent.size <= Extent.sizeLimit else { return nil }
        size = offset + extent.size
        alignment = max(alignment, extent.alignment)
        return offset
    }

    var rounded: Int { roundUp(size, to: alignment) }
}

func roundUp(_ size: Int, to alignment: Int) -> Int {
    (size + alignment - 1) / alignment * alignment
}

/// The layout of one part of a struct.
package struct RecordLayout: Hashable, Sendable {
    package var extent: Extent
    /// Where each member begins; nil for members that are not in this part.
    package var offsets: [Int?]

    /// Returns nil if the record grows too large.
    init?(_ members: [IDLType], _ part: RecordPart) {
        var placement = Placement()
        offsets = []
        for member in members {
            let extent = member.extent(part)
            guard extent.size > 0 else {
                offsets.append(nil)
                continue
            }
            guard let offset = placement.place(extent) else { return nil }
            offsets.append(offset)
        }
        guard placement.rounded <= Extent.sizeLimit else { return nil }
        extent = Extent(size: placement.rounded, alignment: placement.alignment)
    }
}

extension IDLType {
    /// What a value of the type takes in a record.
    package func extent(_ part: RecordPart) -> Extent {
        switch self {
        case .alias(let alias):
            return alias.target.extent(part)
        case .structure(let structure):
            return structure.layout(part).extent
        case .sequence, .string, .wideString:
            return part == .scalars ? .none : .count
        case .dmaHandle:
            return .none
        case .scalar(let scalar):
            return part == .counts ? .none : Extent(size: scalar.size, alignment: scalar.size)
        case .enumeration:
            return part == .counts ? .none : Extent(size: 4, alignment: 4)
        case .array(let element, let count):
            // The checker has limited the size.
            let extent = element.extent(part)
            return Extent(size: extent.size * count, alignment: extent.alignment)
        }
    }
}
