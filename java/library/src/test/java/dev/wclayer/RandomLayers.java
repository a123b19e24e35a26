package dev.wclayer;

import dev.wclayer.TarViews.Node;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Random;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;

/** Made-up layer tars with entries of every kind, written by Commons Compress. The same seed, the same tar. */
final class RandomLayers {
    private static final List<String> PARTS = List.of("a", "B b", "\u00fc", "\ud83d\ude00", "=x", "%20", "long-name-");
    /** Few names, so that layers meet; some differ by case alone. */
    private static final List<String> COMMON = List.of("a", "B", "b", "c.txt", "Dd", "dD", "e");

    private static final List<String> TARGETS =
            List.of("..\\x", "C:\\Users\\\u00fc", "\\\\?\\Volume{1}\\", "a", "\\rooted");

    private final Random random;
    /** What the layers below show, by upper-case path. */
    private final SortedMap<String, Node> below;

    private final boolean base;
    private final boolean common;
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final TarArchiveOutputStream tar;
    private final SortedMap<String, Character> own = new TreeMap<>();
    private final List<String> folders = new ArrayList<>();
    private final List<String> files = new ArrayList<>();

    private RandomLayers(Random random, SortedMap<String, Node> below, boolean base, boolean common) {
        this.random = random;
        this.below = below;
        this.base = base;
        this.common = common;
        this.tar = new TarArchiveOutputStream(bytes, StandardCharsets.UTF_8.name());
        tar.setLongFileMode(TarArchiveOutputStream.LONGFILE_POSIX);
        tar.setBigNumberMode(TarArchiveOutputStream.BIGNUMBER_POSIX);
        tar.setAddPaxHeadersForNonAsciiNames(true);
    }

    /** A layer on its own, with names of every kind. */
    static byte[] alone(Random random) {
        return new RandomLayers(random, new TreeMap<>(), true, false).make(5 + random.nextInt(50));
    }

    /** A layer that deletes, replaces and renames what is below. */
    static byte[] over(Random random, SortedMap<String, Node> below, boolean base) {
        return new RandomLayers(random, below, base, true).make(4 + random.nextInt(16));
    }

    private byte[] make(int count) {
        try (tar) {
            folder("Files");
            for (int i = 0; i < count; i++) {
                one();
            }
        } catch (IOException impossible) {
            throw new UncheckedIOException(impossible);
        }
        return bytes.toByteArray();
    }

    private void one() throws IOException {
        String path = folders.get(random.nextInt(folders.size())) + "/" + name();
        if (own.containsKey(TarViews.key(path))) {
            return;
        }
        switch (random.nextInt(base ? 10 : 15)) {
            case 0, 1 -> folder(path);
            case 2 -> link(path);
            case 3 -> hardLink(path);
            case 4 -> reparsePoint(path);
            case 5, 6, 7, 8, 9 -> file(path);
            case 10 -> opaque(path);
            case 11 -> again(path);
            default -> whiteout(path);
        }
    }

    private String name() {
        if (common) {
            return COMMON.get(random.nextInt(COMMON.size()));
        }
        StringBuilder name = new StringBuilder("n" + own.size() + "-");
        for (int i = random.nextInt(4); i > 0; i--) {
            name.append(PARTS.get(random.nextInt(PARTS.size())));
        }
        if (oneIn(10)) {
            name.append("w".repeat(random.nextInt(150)));
        }
        return name.append('x').toString();
    }

    // ---- entries

    private void folder(String path) throws IOException {
        TarArchiveEntry entry = entry(path, '5', 0040000, 0x10 | attributes());
        write(entry, new byte[0]);
        streams(path);
        folders.add(path);
    }

    private void file(String path) throws IOException {
        byte[] content = noise(oneIn(12) ? 100_000 : 2000);
        boolean bare = content.length == 0 || oneIn(8);
        if (bare) {
            content = new byte[0];
        }
        // An empty file without a DATA stream has mode 0.
        TarArchiveEntry entry = entry(path, '0', bare && oneIn(2) ? 0 : 0100000, attributes());
        write(entry, content);
        streams(path);
        files.add(path);
    }

    private void link(String path) throws IOException {
        boolean junction = oneIn(2);
        boolean toFolder = junction || oneIn(2);
        TarArchiveEntry entry =
                entry(path, '2', toFolder ? 0160000 : 0120000, attributes() | 0x400 | (toFolder ? 0x10 : 0));
        if (junction) {
            entry.addPaxHeader("MSWINDOWS.mountpoint", "1");
        }
        entry.setLinkName(TARGETS.get(random.nextInt(TARGETS.size())));
        write(entry, new byte[0]);
    }

    private void hardLink(String path) throws IOException {
        if (files.isEmpty()) {
            return;
        }
        TarArchiveEntry entry = plain(path, '1', 0644);
        entry.setLinkName(files.get(random.nextInt(files.size())));
        write(entry, new byte[0]);
    }

    /** One of a kind that no tar knows. */
    private void reparsePoint(String path) throws IOException {
        boolean folder = oneIn(2);
        byte[] data = noise(60);
        byte[] buffer = ByteBuffer.allocate(8 + data.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(0x80000020 + random.nextInt(4))
                .putShort((short) data.length)
                .putShort((short) 0)
                .put(data)
                .array();
        int attributes = attributes() | 0x400 | (folder ? 0x10 : 0);
        TarArchiveEntry entry = entry(path, folder ? '5' : '0', folder ? 0040000 : 0100000, attributes);
        entry.addPaxHeader("WCLAYER.reparse", base64(buffer));
        write(entry, folder ? new byte[0] : noise(100));
    }

    private void whiteout(String path) throws IOException {
        own.put(TarViews.key(path), 'w');
        int name = path.lastIndexOf('/') + 1;
        mark(path.substring(0, name) + TarViews.WHITEOUT + path.substring(name));
    }

    private void opaque(String path) throws IOException {
        Node there = below.get(TarViews.key(path));
        folder(path);
        if (there != null && there.main().folder()) {
            mark(path + "/" + TarViews.OPAQUE);
        }
    }

    /** Deleted and made again, in one layer. */
    private void again(String path) throws IOException {
        whiteout(path);
        folder(path);
    }

    private void mark(String name) throws IOException {
        TarArchiveEntry entry = new TarArchiveEntry(name, (byte) '0');
        entry.setMode(0);
        entry.setUserName("");
        entry.setSize(0);
        entry.setLastModifiedTime(FileTime.fromMillis(0));
        tar.putArchiveEntry(entry);
        tar.closeArchiveEntry();
    }

    private void streams(String path) throws IOException {
        for (int i = random.nextInt(8) - 4; i > 0; i--) {
            TarArchiveEntry entry = plain(path + ":s\u00fc" + "x".repeat(i), '0', 0100000);
            byte[] content = noise(oneIn(10) ? 50_000 : 500);
            entry.setSize(content.length);
            tar.putArchiveEntry(entry);
            tar.write(content);
            tar.closeArchiveEntry();
        }
    }

    private void write(TarArchiveEntry entry, byte[] content) throws IOException {
        entry.setSize(content.length);
        tar.putArchiveEntry(entry);
        tar.write(content);
        tar.closeArchiveEntry();
        String name = entry.getName();
        own.put(TarViews.key(name.endsWith("/") ? name.substring(0, name.length() - 1) : name), 'e');
    }

    private TarArchiveEntry plain(String path, char type, int mode) {
        TarArchiveEntry entry = new TarArchiveEntry(path, (byte) type);
        entry.setMode(mode);
        entry.setUserName("");
        entry.setLastModifiedTime(time());
        return entry;
    }

    // ---- metadata

    private TarArchiveEntry entry(String path, char type, int mode, int attributes) {
        TarArchiveEntry entry = plain(path, type, mode);
        entry.addPaxHeader("MSWINDOWS.fileattr", Integer.toString(attributes));
        entry.setLastAccessTime(oneIn(6) ? null : time());
        entry.setStatusChangeTime(oneIn(6) ? null : time());
        entry.setCreationTime(oneIn(6) ? null : time());
        if (!oneIn(4)) {
            entry.addPaxHeader("MSWINDOWS.rawsd", base64(descriptor()));
        }
        if (oneIn(5)) {
            extendedAttributes(entry);
        }
        if (oneIn(6)) {
            entry.addPaxHeader("WCLAYER.objectid", base64(exactly(64)));
        }
        if (oneIn(10)) {
            entry.addPaxHeader("WCLAYER.stream.10", base64(exactly(1 + random.nextInt(60))));
        }
        if (oneIn(10)) {
            entry.addPaxHeader("WCLAYER.shortname", base64("SHORT~1.TXT".getBytes(StandardCharsets.UTF_16LE)));
        }
        return entry;
    }

    private void extendedAttributes(TarArchiveEntry entry) {
        ByteArrayOutputStream flags = new ByteArrayOutputStream();
        for (int i = 0; i <= random.nextInt(4); i++) {
            String name = "EA" + (char) ('A' + i);
            entry.addPaxHeader("MSWINDOWS.xattr." + name, base64(exactly(1 + random.nextInt(100))));
            if (oneIn(3)) {
                flags.write(0x80);
                flags.write(name.length());
                flags.writeBytes(name.getBytes(StandardCharsets.US_ASCII));
            }
        }
        if (flags.size() != 0) {
            entry.addPaxHeader("WCLAYER.eaflags", base64(flags.toByteArray()));
        }
    }

    /** Owner, group and an ACL, all of made-up domains. */
    private byte[] descriptor() {
        byte[] owner = sid();
        byte[] group = sid();
        ByteArrayOutputStream entries = new ByteArrayOutputStream();
        int count = random.nextInt(4);
        for (int i = 0; i < count; i++) {
            byte[] sid = sid();
            ByteBuffer head = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
            head.put((byte) random.nextInt(2)).put((byte) random.nextInt(32));
            head.putShort((short) (8 + sid.length)).putInt(random.nextInt());
            entries.writeBytes(head.array());
            entries.writeBytes(sid);
        }
        int acl = 20 + owner.length + group.length;
        ByteBuffer all = ByteBuffer.allocate(acl + 8 + entries.size()).order(ByteOrder.LITTLE_ENDIAN);
        all.put((byte) 1).put((byte) 0).putShort((short) 0x8004);
        all.putInt(20).putInt(20 + owner.length).putInt(0).putInt(acl);
        all.put(owner).put(group);
        all.put((byte) 2).put((byte) 0).putShort((short) (8 + entries.size())).putInt(count);
        return all.put(entries.toByteArray()).array();
    }

    private byte[] sid() {
        ByteBuffer sid = ByteBuffer.allocate(8 + 5 * 4).order(ByteOrder.LITTLE_ENDIAN);
        sid.put(new byte[] {1, 5, 0, 0, 0, 0, 0, 5}).putInt(21);
        for (int i = 0; i < 4; i++) {
            sid.putInt(random.nextInt());
        }
        return sid.array();
    }

    private int attributes() {
        return random.nextInt() & 0x000f_f9ef; // all but DIRECTORY, SPARSE and REPARSE_POINT
    }

    /** In steps of 1 ns, finer than Windows; any year from 1601 on. */
    private FileTime time() {
        Instant instant = switch (random.nextInt(4)) {
            case 0 -> Instant.ofEpochSecond(-11_644_473_600L + random.nextInt());
            case 1 -> Instant.ofEpochSecond(-random.nextInt(1000), random.nextInt(1_000_000_000));
            case 2 -> Instant.ofEpochSecond(random.nextInt(Integer.MAX_VALUE));
            default -> Instant.ofEpochSecond(random.nextLong(100_000_000_000L), random.nextInt(10_000_000) * 100L);
        };
        return FileTime.from(instant);
    }

    private boolean oneIn(int chances) {
        return random.nextInt(chances) == 0;
    }

    private byte[] noise(int most) {
        return exactly(random.nextInt(most + 1));
    }

    private byte[] exactly(int size) {
        byte[] noise = new byte[size];
        random.nextBytes(noise);
        return noise;
    }

    private static String base64(byte[] data) {
        return Base64.getEncoder().encodeToString(data);
    }
}
