/// Files that every compiler of the language is expected to find.
enum BuiltinFiles {
    /// The text of a file that need not exist, or nil.
    static func text(of name: String) -> String? {
        switch name {
        case "remote.idl": remote
        case "AEEStdDef.idl": standardDefinitions
        default: nil
        }
    }

    /// The bases of interfaces.
    private static let remote = """
        /// The base of interfaces whose calls go through the session's handle.
        interface remote_handle {};

        /// The base of interfaces with a handle of their own.
        interface remote_handle64 {
            /// Opens the module that a URI names.
            long open(in string uri, rout remote_handle64 h);
            /// Closes the handle.
            long close(in remote_handle64 h);
        };

        """

    private static let standardDefinitions = """
        /// A status code; 0 is success.
        typedef long AEEResult;

        """
}
