/// A device node of a DSP.
package struct DeviceNode: Hashable, Sendable, Encodable {
    package var path: String
    package var owner: String
    package var group: String
    package var mode: String
    package var accessible: Bool

    init(_ path: String, _ attributes: FileAttributes, accessible: Bool) {
        self.path = path
        owner = attributes.owner
        group = attributes.group
        mode = attributes.octal
        self.accessible = accessible
    }

    /// For example `/dev/fastrpc-cdsp root:render 0660`.
    var description: String { "\(path) \(owner):\(group) \(mode)" }

    /// The nodes of a DSP that are there.
    static func all(of domain: DSPName, on machine: Machine) -> [DeviceNode] {
        domain.nodePaths.compactMap { path in
            machine.attributes(path).map {
                DeviceNode(path, $0, accessible: machine.refusal(path) == nil)
            }
        }
    }
}
