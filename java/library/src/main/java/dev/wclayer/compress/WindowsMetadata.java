package dev.wclayer.compress;

import java.time.Instant;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What Windows keeps of an entry beside its data, as layer tars carry it in PAX records. Immutable; each {@code with…}
 * method gives a changed copy. Times are exact to 100 ns. What a reparse point says follows from the entry's link name,
 * its attributes and {@link #mountPoint()}.
 */
public final class WindowsMetadata {
    /** FILE_ATTRIBUTE_READONLY. */
    public static final int READONLY = 0x1;

    /** FILE_ATTRIBUTE_HIDDEN. */
    public static final int HIDDEN = 0x2;

    /** FILE_ATTRIBUTE_SYSTEM. */
    public static final int SYSTEM = 0x4;

    /** FILE_ATTRIBUTE_DIRECTORY. */
    public static final int DIRECTORY = 0x10;

    /** FILE_ATTRIBUTE_ARCHIVE. */
    public static final int ARCHIVE = 0x20;

    /** FILE_ATTRIBUTE_REPARSE_POINT. */
    public static final int REPARSE_POINT = 0x400;

    // Owner Administrators, group SYSTEM, full access for both, read and execute for Users
    // (spec layer-formats §d).
    private static final byte[] FOLDER_DESCRIPTOR = Base64.getDecoder()
            .decode(
                    "AQAEgBQAAAAkAAAAAAAAADAAAAABAgAAAAAABSAAAAAgAgAAAQEAAAAAAAUSAAAAAgCoAAcAAAAAAxgA/wEfAAECAAAAAAAFIAAAACACAAAAAxQA/wEfAAEBAAAAAAAFEgAAAAAAGAD/AR8AAQIAAAAAAAUgAAAAIAIAAAALFAAAAAAQAQEAAAAAAAMAAAAAAAMYAKkAEgABAgAAAAAABSAAAAAhAgAAAAIYAAQAAAABAgAAAAAABSAAAAAhAgAAAAIYAAIAAAABAgAAAAAABSAAAAAhAgAA");
    private static final byte[] FILE_DESCRIPTOR = Base64.getDecoder()
            .decode(
                    "AQAEgBQAAAAkAAAAAAAAADAAAAABAgAAAAAABSAAAAAgAgAAAQEAAAAAAAUSAAAAAgBMAAMAAAAAABgA/wEfAAECAAAAAAAFIAAAACACAAAAABQA/wEfAAEBAAAAAAAFEgAAAAAAGACpABIAAQIAAAAAAAUgAAAAIQIAAA==");

    private final int attributes;
    private final byte @Nullable [] securityDescriptor;
    private final @Nullable String sddl;
    private final @Nullable Instant creation;
    private final @Nullable Instant access;
    private final Instant write;
    private final @Nullable Instant change;
    private final boolean mountPoint;
    private final Map<String, byte[]> extendedAttributes;

    WindowsMetadata(
            int attributes,
            byte @Nullable [] securityDescriptor,
            @Nullable String sddl,
            @Nullable Instant creation,
            @Nullable Instant access,
            Instant write,
            @Nullable Instant change,
            boolean mountPoint,
            Map<String, byte[]> extendedAttributes) {
        this.attributes = attributes;
        this.securityDescriptor = securityDescriptor;
        this.sddl = sddl;
        this.creation = creation;
        this.access = access;
        this.write = write;
        this.change = change;
        this.mountPoint = mountPoint;
        this.extendedAttributes = extendedAttributes;
    }

    /**
     * What a plain file made by an administrator has.
     *
     * @param time all four times
     * @return attribute ARCHIVE; full access for administrators and the system, read and execute for users
     */
    public static WindowsMetadata ofFile(Instant time) {
        return new WindowsMetadata(ARCHIVE, FILE_DESCRIPTOR, null, time, time, time, time, false, Map.of());
    }

    /**
     * What a plain folder made by an administrator has.
     *
     * @param time all four times
     * @return attribute DIRECTORY; full access for administrators and the system, read and execute for users, inherited
     */
    public static WindowsMetadata ofFolder(Instant time) {
        return new WindowsMetadata(DIRECTORY, FOLDER_DESCRIPTOR, null, time, time, time, time, false, Map.of());
    }

    /**
     * The file attributes.
     *
     * @return the bits of Win32
     */
    public int attributes() {
        return attributes;
    }

    /**
     * The security descriptor.
     *
     * @return a copy of its self-relative form, or null
     */
    public byte @Nullable [] securityDescriptor() {
        return securityDescriptor == null ? null : securityDescriptor.clone();
    }

    /**
     * The security descriptor as text, which archives of 2016 carry.
     *
     * @return SDDL, or null
     */
    public @Nullable String sddl() {
        return sddl;
    }

    /**
     * When the entry was made.
     *
     * @return the time, or null if the archive does not say
     */
    public @Nullable Instant creation() {
        return creation;
    }

    /**
     * When it was last read.
     *
     * @return the time, or null if the archive does not say
     */
    public @Nullable Instant access() {
        return access;
    }

    /**
     * When its data was last written.
     *
     * @return the time
     */
    public Instant write() {
        return write;
    }

    /**
     * When anything of it was last changed.
     *
     * @return the time, or null if the archive does not say
     */
    public @Nullable Instant change() {
        return change;
    }

    /**
     * Whether a link is a junction.
     *
     * @return false for a symbolic link, and for what is no link
     */
    public boolean mountPoint() {
        return mountPoint;
    }

    /**
     * The extended attributes.
     *
     * @return copies of the values, by name
     */
    public Map<String, byte[]> extendedAttributes() {
        return copyOf(extendedAttributes);
    }

    /**
     * A copy with other attributes.
     *
     * @param value the bits of Win32
     * @return the copy
     */
    public WindowsMetadata withAttributes(int value) {
        return new WindowsMetadata(
                value, securityDescriptor, sddl, creation, access, write, change, mountPoint, extendedAttributes);
    }

    /**
     * A copy with another security descriptor.
     *
     * @param value its self-relative form, or null for none
     * @return the copy
     */
    public WindowsMetadata withSecurityDescriptor(byte @Nullable [] value) {
        byte[] copy = value == null ? null : value.clone();
        return new WindowsMetadata(
                attributes, copy, null, creation, access, write, change, mountPoint, extendedAttributes);
    }

    /**
     * A copy with other times.
     *
     * @param creationTime when it was made, or null
     * @param accessTime when it was last read, or null
     * @param writeTime when its data was last written
     * @param changeTime when anything of it was last changed, or null
     * @return the copy
     */
    public WindowsMetadata withTimes(
            @Nullable Instant creationTime,
            @Nullable Instant accessTime,
            Instant writeTime,
            @Nullable Instant changeTime) {
        return new WindowsMetadata(
                attributes,
                securityDescriptor,
                sddl,
                creationTime,
                accessTime,
                Objects.requireNonNull(writeTime, "writeTime"),
                changeTime,
                mountPoint,
                extendedAttributes);
    }

    /**
     * A copy that says whether a link is a junction.
     *
     * @param value true for a junction
     * @return the copy
     */
    public WindowsMetadata withMountPoint(boolean value) {
        return new WindowsMetadata(
                attributes, securityDescriptor, sddl, creation, access, write, change, value, extendedAttributes);
    }

    /**
     * A copy with other extended attributes.
     *
     * @param values values by name; a name holds no {@code =}, a value is not empty (Windows has no empty ones)
     * @return the copy
     * @throws IllegalArgumentException if a PAX record cannot carry a name or value
     */
    public WindowsMetadata withExtendedAttributes(Map<String, byte[]> values) {
        values.forEach((name, value) -> {
            if (name.isEmpty() || name.indexOf('=') >= 0 || value.length == 0) {
                throw new IllegalArgumentException(
                        "not an extended attribute that a PAX record can carry: '" + name + "'");
            }
        });
        return new WindowsMetadata(
                attributes, securityDescriptor, sddl, creation, access, write, change, mountPoint, copyOf(values));
    }

    private static Map<String, byte[]> copyOf(Map<String, byte[]> values) {
        Map<String, byte[]> copy = new LinkedHashMap<>();
        values.forEach((name, value) -> copy.put(name, value.clone()));
        return copy;
    }
}
