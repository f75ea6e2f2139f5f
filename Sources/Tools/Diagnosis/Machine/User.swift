import Glibc

/// The user who runs the probe.
package struct User: Hashable, Sendable {
    package let name: String
    package let groups: [String]
    /// Groups whose entries list this user, though this login may be older than the entries.
    private let listed: [String]?

    /// This process's user.
    package init() {
        name = getpwuid(getuid()).map { String(cString: $0.pointee.pw_name) } ?? "\(getuid())"
        var ids = [gid_t](repeating: 0, count: Int(max(0, getgroups(0, nil))))
        let count = ids.isEmpty ? 0 : getgroups(CInt(ids.count), &ids)
        let all = [getgid()] + ids.prefix(Int(max(0, count))).filter { $0 != getgid() }
        groups = all.map { id in getgrgid(id).map { String(cString: $0.pointee.gr_name) } ?? "\(id)" }
        listed = nil
    }

    /// A user made up by a test.
    package init(name: String, groups: [String], listed: [String] = []) {
        self.name = name
        self.groups = groups
        self.listed = listed
    }

    /// Whether the group's entry lists this user.
    func isListed(in group: String) -> Bool {
        if let listed { return listed.contains(group) }
        guard let entry = getgrnam(group), var member = entry.pointee.gr_mem else { return false }
        while let listed = member.pointee {
            if String(cString: listed) == name { return true }
            member += 1
        }
        return false
    }
}
