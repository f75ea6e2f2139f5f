/// Why a model cannot be placed or run, in one line.
package struct RuntimeError: Error, Hashable, Sendable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) {
        self.description = description
    }
}
