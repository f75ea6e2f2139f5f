/// Why a model file cannot be computed, in one line.
package struct ModelError: Error, Hashable, Sendable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) {
        self.description = description
    }
}
