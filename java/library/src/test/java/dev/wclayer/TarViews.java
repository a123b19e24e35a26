package dev.wclayer;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.jspecify.annotations.Nullable;

/** Tars as Commons Compress sees them, and what a chain of them makes of a tree. */
final class TarViews {
    static final String WHITEOUT = ".wh.";
    static final String OPAQUE = ".wh..wh..opq";

    private TarViews() {}

    /** Everything that a tar says of an entry. */
    record View(
            char type,
            String name,
            String link,
            int mode,
            long size,
            String content,
            Instant write,
            @Nullable Instant access,
            @Nullable Instant change,
            @Nullable Instant creation,
            SortedMap<String, String> records) {
        boolean whiteout() {
            return base().startsWith(WHITEOUT);
        }

        String base() {
            return name.substring(name.lastIndexOf('/') + 1);
        }

        /** A folder that things can be in. */
        boolean folder() {
            String attributes = records.getOrDefault("MSWINDOWS.fileattr", "16");
            return type == '5' && (Long.parseLong(attributes) & 0x400) == 0;
        }

        View named(String other, char otherType) {
            return new View(otherType, other, "", mode, size, content, write, access, change, creation, records);
        }
    }

    static List<View> of(byte[] tar) {
        List<View> views = new ArrayList<>();
        try (TarArchiveInputStream in =
                new TarArchiveInputStream(LayerTars.stream(tar), StandardCharsets.UTF_8.name())) {
            for (TarArchiveEntry entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
                views.add(view(entry, entry.isFile() ? LayerTars.sha256(in.readAllBytes()) : ""));
            }
        } catch (IOException malformed) {
            throw new UncheckedIOException(malformed);
        }
        return views;
    }

    private static View view(TarArchiveEntry entry, String content) {
        String name = entry.getName();
        return new View(
                (char) entry.getLinkFlag(),
                name.endsWith("/") ? name.substring(0, name.length() - 1) : name,
                entry.getLinkName(),
                entry.getMode(),
                entry.isFile() ? entry.getRealSize() : 0,
                content,
                entry.getLastModifiedTime().toInstant(),
                instant(entry.getLastAccessTime()),
                instant(entry.getStatusChangeTime()),
                instant(entry.getCreationTime()),
                new TreeMap<>(entry.getExtraPaxHeaders()));
    }

    private static @Nullable Instant instant(@Nullable FileTime time) {
        return time == null ? null : time.toInstant();
    }

    /** By name, but for the hives that a Diff is given. */
    static SortedMap<String, View> byName(byte[] tar) {
        SortedMap<String, View> views = new TreeMap<>();
        for (View view : of(tar)) {
            if (!view.name().startsWith("Hives")) {
                views.put(view.name(), view);
            }
        }
        return views;
    }

    /** What is at a path: the entry, its alternate streams, the other names of the file. */
    record Node(View main, Map<String, View> streams, Object file) {}

    /** What a chain of tars shows, base first, by upper-case path. */
    static SortedMap<String, Node> chain(List<byte[]> tars) {
        SortedMap<String, Node> tree = new TreeMap<>();
        tars.forEach(tar -> put(tree, tar));
        return tree;
    }

    private static void put(SortedMap<String, Node> tree, byte[] tar) {
        List<View> views = of(tar);
        for (View view : views) {
            if (view.whiteout()) {
                String parent = view.name().substring(0, view.name().lastIndexOf('/'));
                boolean opaque = view.base().equals(OPAQUE);
                String path = opaque ? parent : parent + "/" + view.base().substring(WHITEOUT.length());
                erase(tree, path, !opaque);
            }
        }
        Map<String, Node> own = new LinkedHashMap<>();
        for (View view : views) {
            if (view.whiteout() || view.name().startsWith("Hives")) {
                continue;
            }
            int colon = view.name().indexOf(':');
            if (colon >= 0) {
                at(own, key(view.name().substring(0, colon)))
                        .streams()
                        .put(view.name().substring(colon + 1), view);
                continue;
            }
            Node node = new Node(view, new TreeMap<>(), new Object());
            if (view.type() == '1') {
                Node file = own.get(key(view.link()));
                Node target = file == null ? at(tree, key(view.link())) : file; // a parent's file becomes a copy
                node = new Node(
                        target.main().named(view.name(), '0'),
                        target.streams(),
                        file == null ? new Object() : file.file());
            }
            own.put(key(view.name()), node);
        }
        own.forEach((path, node) -> {
            Node there = tree.get(path);
            boolean merges =
                    node.main().folder() && there != null && there.main().folder();
            if (!merges) {
                erase(tree, path, true);
            }
            tree.put(path, node);
        });
    }

    private static void erase(SortedMap<String, Node> tree, String path, boolean itself) {
        String key = key(path);
        tree.keySet().removeIf(at -> (itself && at.equals(key)) || at.startsWith(key + "/"));
    }

    /** What a map must hold. */
    static <T> T at(Map<String, T> map, String key) {
        T value = map.get(key);
        if (value == null) {
            throw new AssertionError("no '" + key + "' among " + map.keySet());
        }
        return value;
    }

    static String key(String path) {
        return path.toUpperCase(Locale.ROOT);
    }

    /** A tree as lines that can be compared: each path with all of its metadata, and who shares a file. */
    static SortedMap<String, String> describe(SortedMap<String, Node> tree) {
        Map<Object, TreeSet<String>> names = new LinkedHashMap<>();
        tree.forEach((path, node) ->
                names.computeIfAbsent(node.file(), file -> new TreeSet<>()).add(path));
        SortedMap<String, String> lines = new TreeMap<>();
        tree.forEach((path, node) -> lines.put(
                path, node.main() + " streams " + contents(node.streams()) + " names " + names.get(node.file())));
        return lines;
    }

    private static Map<String, String> contents(Map<String, View> streams) {
        Map<String, String> contents = new TreeMap<>();
        streams.forEach((name, view) -> contents.put(name, view.content()));
        return contents;
    }
}
