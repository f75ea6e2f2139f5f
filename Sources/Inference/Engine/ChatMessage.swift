import ChatTemplate

/// Something that was said in a conversation.
public struct ChatMessage: Hashable, Sendable {
    /// Who says something, as templates name them.
    public enum Role: String, Hashable, Sendable {
        /// What holds for the whole conversation.
        case system
        /// The one who asks.
        case user
        /// The model.
        case assistant
    }

    /// What templates are given: `role`, `content` and whatever else there is.
    public let json: JSONValue

    /// A message of text.
    public init(_ role: Role, _ content: String) {
        json = .object(["role": .string(role.rawValue), "content": .string(content)])
    }

    /// A message of any kind, such as one with `tool_calls`; nil where it is no object with a role.
    public init?(json: JSONValue) {
        guard json["role"]?.string != nil else { return nil }
        self.json = json
    }

    /// Who says it.
    public var role: String { json["role"]?.string ?? "" }
    /// The text; empty where there is something else.
    public var content: String { json["content"]?.string ?? "" }
}
