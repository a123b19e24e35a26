package dev.wclayer;

import java.time.Instant;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/** Everything that is kept of one entry of a layer. Immutable: arrays are handed out as copies. */
public final class EntryDetails {
    private final EntryInfo info;
    private final Time creation;
    private final Time access;
    private final Time write;
    private final Time change;
    private final String sddl;
    private final byte[] securityDescriptor;
    private final int reparseTag;
    private final byte[] reparseData;
    private final Map<String, byte[]> extendedAttributes;
    private final Map<String, Long> streams;
    private final byte[] objectId;
    private final boolean sparse;
    private final String shortName;

    EntryDetails(
            EntryInfo info,
            Time creation,
            Time access,
            Time write,
            Time change,
            String sddl,
            byte[] securityDescriptor,
            int reparseTag,
            byte[] reparseData,
            Map<String, byte[]> extendedAttributes,
            Map<String, Long> streams,
            byte[] objectId,
            boolean sparse,
            String shortName) {
        this.info = info;
        this.creation = creation;
        this.access = access;
        this.write = write;
        this.change = change;
        this.sddl = sddl;
        this.securityDescriptor = securityDescriptor;
        this.reparseTag = reparseTag;
        this.reparseData = reparseData;
        this.extendedAttributes = extendedAttributes;
        this.streams = Collections.unmodifiableMap(new LinkedHashMap<>(streams));
        this.objectId = objectId;
        this.sparse = sparse;
        this.shortName = shortName;
    }

    /**
     * What {@code ls} shows of it. For a hard link the size, times and the rest are those of the file.
     *
     * @return kind, path, size, attributes, target
     */
    public EntryInfo info() {
        return info;
    }

    /**
     * When it was made.
     *
     * @return the time
     */
    public Time creation() {
        return creation;
    }

    /**
     * When it was last read.
     *
     * @return the time
     */
    public Time access() {
        return access;
    }

    /**
     * When its data was last written.
     *
     * @return the time
     */
    public Time write() {
        return write;
    }

    /**
     * When anything of it was last changed.
     *
     * @return the time
     */
    public Time change() {
        return change;
    }

    /**
     * The security descriptor as text.
     *
     * @return SDDL; empty if the entry carries none
     */
    public String sddl() {
        return sddl;
    }

    /**
     * The security descriptor itself.
     *
     * @return its self-relative form; empty if the entry carries none
     */
    public byte[] securityDescriptor() {
        return securityDescriptor.clone();
    }

    /**
     * The reparse tag.
     *
     * @return for example 0xA000000C for a symbolic link; 0 if the entry is no reparse point
     */
    public int reparseTag() {
        return reparseTag;
    }

    /**
     * The whole reparse buffer, tag included.
     *
     * @return its bytes; empty if the entry is no reparse point
     */
    public byte[] reparseData() {
        return reparseData.clone();
    }

    /**
     * The extended attributes by name, in their order.
     *
     * @return copies of the values
     */
    public Map<String, byte[]> extendedAttributes() {
        Map<String, byte[]> copy = new LinkedHashMap<>();
        extendedAttributes.forEach((name, value) -> copy.put(name, value.clone()));
        return copy;
    }

    /**
     * The alternate data streams.
     *
     * @return size in bytes by name (without colon and {@code :$DATA}), in their order
     */
    public Map<String, Long> streams() {
        return streams;
    }

    /**
     * The object id.
     *
     * @return its bytes; empty if there is none
     */
    public byte[] objectId() {
        return objectId.clone();
    }

    /**
     * Whether the file has holes.
     *
     * @return true for a sparse file
     */
    public boolean sparse() {
        return sparse;
    }

    /**
     * The 8.3 name, as the tar gave it.
     *
     * @return the name; "" if none is known
     */
    public String shortName() {
        return shortName;
    }

    /**
     * One of the four times.
     *
     * @param instant the time, exact to what the archive said (100 ns on Windows, 1 ns in a tar)
     * @param recorded whether the archive had it; if not, the instant is that of the last write
     */
    public record Time(Instant instant, boolean recorded) {}
}
