import HTPInterface
import HexagonRPC

/// How the DSP program computes everything but matrix products: norms, attention, activations and the rest.
public enum FloatArithmetic: UInt32, CaseIterable, Hashable, Sendable {
    /// IEEE operations in a fixed order: the same bits on every processor.
    case plain = 0
    /// The vector unit's own floats (qfloat), 32 at a time, off by a few units in the last place.
    ///
    /// DSPs before v68 have none. No processor has run this yet.
    case vector = 1
}

extension HTPDevice {
    /// Chooses the arithmetic, from now on.
    ///
    /// For ``FloatArithmetic/vector`` the program first computes small examples both ways. A DSP or program that has no
    /// such floats refuses with `AEE_EUNSUPPORTED`; where the examples differ plain floats stay.
    ///
    /// - Returns: the opcode of the operation whose examples differ, `nil` where the arithmetic is what was wanted.
    @discardableResult
    package func setFloatArithmetic(_ wanted: FloatArithmetic) throws -> UInt32? {
        let answer = try recovering {
            try withProgram { try $0.arithmetic(wanted: wanted.rawValue) }
        }
        floatArithmetic = FloatArithmetic(rawValue: answer.used) ?? .plain
        return floatArithmetic == wanted ? nil : answer.disagreement
    }
}
