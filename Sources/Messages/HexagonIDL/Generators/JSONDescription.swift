/// Describes an interface's calls as JSON.
package enum JSONDescription {
    package static func generate(_ unit: Unit) -> String {
        "{}\n"
    }
}
