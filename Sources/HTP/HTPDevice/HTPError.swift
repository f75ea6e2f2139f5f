/// What went wrong with the DSP program or its memory, in one line.
package struct HTPError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What failed, on what, and what to do about it.
    package var description: String

    package init(_ description: String) {
        self.description = description
    }
}
