using System.Buffers.Binary;

namespace EditUnlearn.Models.Tokenizers;

/// <summary>
/// Reads the fields of one protocol buffer message out of bytes that nobody vouches for. Every length is checked
/// against what is there.
/// </summary>
/// <remarks>Source: Protocol Buffers, Encoding. Groups, long obsolete, are refused.</remarks>
internal ref struct ProtobufReader(ReadOnlySpan<byte> message)
{
    private readonly ReadOnlySpan<byte> _message = message;
    private int _at;

    /// <summary>Number of the field that was read last.</summary>
    public int Field { get; private set; }

    /// <summary>Value of a field of whole numbers, or the raw bits of a fixed one.</summary>
    public ulong Number { get; private set; }

    /// <summary>Value of a field of bytes: text, or a message of its own.</summary>
    public ReadOnlySpan<byte> Bytes { get; private set; }

    /// <summary>How the value was written: 0 whole number, 1 eight bytes, 2 bytes, 5 four bytes.</summary>
    public int Wire { get; private set; }

    /// <summary>The next field, or false at the end.</summary>
    /// <exception cref="FormatException">The bytes are no message.</exception>
    public bool Next()
    {
        if (_at == _message.Length)
            return false;
        var tag = Varint();
        if (tag >> 3 is 0 or > (1 << 29) - 1)
            throw new FormatException($"there is no field number {tag >> 3}");
        (Field, Wire) = ((int)(tag >> 3), (int)(tag & 7));
        Bytes = default;
        switch (Wire)
        {
            case 0:
                Number = Varint();
                break;
            case 1:
                Number = BinaryPrimitives.ReadUInt64LittleEndian(Take(8));
                break;
            case 2:
                Bytes = Take(Varint());
                break;
            case 5:
                Number = BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
                break;
            default:
                throw new FormatException($"field {Field} has the unknown wire type {Wire}");
        }
        return true;
    }

    /// <summary>The value as bytes.</summary>
    public readonly ReadOnlySpan<byte> AsBytes() => Wire == 2 ? Bytes : throw Unlike("bytes");

    /// <summary>The value as a whole number.</summary>
    public readonly long AsInteger() => Wire == 0 ? unchecked((long)Number) : throw Unlike("a whole number");

    /// <summary>The value as a 32-bit fraction.</summary>
    public readonly float AsSingle() =>
        Wire == 5 ? BitConverter.UInt32BitsToSingle((uint)Number) : throw Unlike("a 32-bit number");

    private readonly FormatException Unlike(string wanted) => new($"field {Field} is not {wanted}");

    private ulong Varint()
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            if (_at == _message.Length)
                throw new FormatException("it ends inside a number");
            var b = _message[_at++];
            value |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80)
                return value;
        }
        throw new FormatException("a number is longer than ten bytes");
    }

    private ReadOnlySpan<byte> Take(ulong length)
    {
        if (length > (ulong)(_message.Length - _at))
            throw new FormatException($"a field of {length} bytes begins {_message.Length - _at} bytes before the end");
        var part = _message.Slice(_at, (int)length);
        _at += (int)length;
        return part;
    }
}
