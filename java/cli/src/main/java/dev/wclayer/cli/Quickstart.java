package dev.wclayer.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import dev.wclayer.ApplyResult;
import dev.wclayer.Change;
import dev.wclayer.Compression;
import dev.wclayer.DiffOptions;
import dev.wclayer.EntryDetails;
import dev.wclayer.EntryInfo;
import dev.wclayer.LayerDiff;
import dev.wclayer.LayerMount;
import dev.wclayer.LayerProblem;
import dev.wclayer.StatusItem;
import dev.wclayer.WindowsDriver;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** The main job on some layer tars, start to end: apply, mount, change, compare, export, apply again, look inside. */
final class Quickstart {
    private static final int SHOWN_CHANGES = 12;
    private static final int LOOKED_AT = 500;

    private final WindowsDriver driver;
    private final Path work;
    private final Narrator narrator;

    Quickstart(WindowsDriver driver, Path work, Narrator narrator) {
        this.driver = driver;
        this.work = work;
        this.narrator = narrator;
    }

    void run(List<Path> tars) throws IOException {
        String prefix = unusedPrefix();
        List<String> layers = applyAll(prefix, tars);
        String top = layers.get(layers.size() - 1);
        String box = prefix + "-box";
        narrator.step("A writable layer on top, mounted as a container would see it");
        driver.createReadWrite(box, top);
        try (LayerMount mount = driver.mount(box)) {
            narrator.detail("createReadWrite " + box + " on " + top + "; " + howMounted() + " at " + mount.path());
            change(mount.path());
        }
        List<Change> changes = driver.changes(box, top);
        narrator.step("What changed: " + changes.size() + " paths");
        for (Change change : changes.subList(0, Math.min(SHOWN_CHANGES, changes.size()))) {
            narrator.detail(change.toString());
        }
        JsonArray list = new JsonArray();
        changes.forEach(change -> list.add(change.toString()));
        narrator.fact("changes", list);

        roundTrip(prefix, box, top);
        showWindows(layers);
        narrator.step("Every stored byte is checked");
        List<String> all = new ArrayList<>(layers);
        all.add(prefix + "-changes");
        List<LayerProblem> problems = driver.verify(all.toArray(new String[0]));
        if (!problems.isEmpty()) {
            throw new IOException("verify found: " + problems.get(0).problem());
        }
        narrator.detail("verify: nothing wrong");
    }

    private List<String> applyAll(String prefix, List<Path> tars) throws IOException {
        narrator.step("The layers are applied, lowest first; each tar comes back byte for byte");
        List<String> layers = new ArrayList<>();
        JsonArray facts = new JsonArray();
        for (Path tar : tars) {
            String id = prefix + "-layer" + (layers.size() + 1);
            String parent = layers.isEmpty() ? "" : layers.get(layers.size() - 1);
            ApplyResult applied = driver.applyDiff(id, parent, tar);
            layers.add(id);
            narrator.detail("apply " + id + " < " + tar.getFileName() + ": " + applied.sizeBytes() + " bytes of files");
            narrator.detail("  diffId " + applied.diffId());
            try (LayerDiff diff = driver.diff(id, parent)) {
                diff.transferTo(Path.of("/dev/null"));
                agree("the Diff of " + id, applied.diffId(), diff.diffId());
            }
            narrator.detail("  Diff   the same");
            JsonObject fact = Json.object("id", id);
            fact.addProperty("diffId", applied.diffId());
            fact.addProperty("sizeBytes", applied.sizeBytes());
            facts.add(fact);
        }
        narrator.fact("layers", facts);
        return layers;
    }

    private void change(Path root) throws IOException {
        Files.writeString(root.resolve("hello.txt"), "hello from quickstart\n");
        narrator.detail("made      hello.txt");
        List<Path> files = someFiles(root);
        Optional<Path> edited = files.stream()
                .filter(file -> file.toString().endsWith(".txt"))
                .findFirst()
                .or(() -> files.stream().filter(Files::isWritable).findFirst());
        if (edited.isPresent()) {
            Files.writeString(edited.get(), "one more line\n", StandardOpenOption.APPEND);
            narrator.detail("appended  " + root.relativize(edited.get()));
        }
        Optional<Path> deleted =
                files.stream().filter(file -> !edited.equals(Optional.of(file))).findFirst();
        if (deleted.isPresent()) {
            Files.delete(deleted.get());
            narrator.detail("deleted   " + root.relativize(deleted.get()));
        }
    }

    private static List<Path> someFiles(Path root) throws IOException {
        try (Stream<Path> walk = Files.walk(root)) {
            return walk.filter(path -> Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS))
                    .filter(path -> !path.endsWith("hello.txt"))
                    .limit(LOOKED_AT)
                    .sorted()
                    .toList();
        }
    }

    private void roundTrip(String prefix, String box, String top) throws IOException {
        narrator.step("The changes are exported and applied as a layer of their own");
        Path tar = work.resolve("changes.tar.gz");
        long size = driver.diffSize(box, top);
        String diffId;
        try (LayerDiff diff = driver.diff(box, top, DiffOptions.DEFAULT.withCompression(Compression.GZIP))) {
            diff.transferTo(tar);
            diffId = diff.diffId();
            narrator.detail("diff " + box + " > changes.tar.gz: " + diff.tarBytes() + " bytes of tar, "
                    + diff.blobBytes() + " as gzip");
        }
        ApplyResult applied = driver.applyDiff(prefix + "-changes", top, tar);
        agree("the layer made of the Diff", diffId, applied.diffId());
        agree("its size", Long.toString(size), Long.toString(applied.sizeBytes()));
        narrator.detail("apply " + prefix + "-changes: the same diffId and size");
        narrator.detail("  diffId " + diffId);
        JsonObject fact = Json.object("diffId", diffId);
        fact.addProperty("sizeBytes", size);
        narrator.fact("diff", fact);
    }

    /** Of the first entries: one descriptor, one stream, one link. */
    private void showWindows(List<String> layers) throws IOException {
        narrator.step("What only Windows knows is kept");
        JsonObject facts = new JsonObject();
        for (String layer : layers) {
            List<EntryInfo> entries = driver.entries(layer, "");
            for (EntryInfo entry : entries.subList(0, Math.min(LOOKED_AT, entries.size()))) {
                showEntry(layer, entry, facts);
            }
        }
        if (facts.size() == 0) {
            narrator.detail("(these layers carry no descriptors, streams or links)");
        }
        narrator.fact("windows", facts);
    }

    private void showEntry(String layer, EntryInfo entry, JsonObject facts) throws IOException {
        switch (entry.kind()) {
            case FILE -> {
                if (facts.has("sddl") && facts.has("stream")) {
                    return;
                }
                EntryDetails details = driver.stat(layer, entry.path());
                if (!details.sddl().isEmpty() && !facts.has("sddl")) {
                    facts.add("sddl", new JsonPrimitive(details.sddl()));
                    narrator.detail("descriptor  " + entry.path() + ": " + details.sddl());
                    narrator.detail("write time  " + entry.path() + ": "
                            + details.write().instant());
                }
                if (!details.streams().isEmpty() && !facts.has("stream")) {
                    String stream = details.streams().keySet().iterator().next();
                    facts.add("stream", new JsonPrimitive(entry.path() + ":" + stream));
                    narrator.detail("stream      " + entry.path() + ":" + stream + ", "
                            + details.streams().get(stream) + " bytes");
                }
            }
            case JUNCTION -> {
                if (!facts.has("junction")) {
                    facts.add("junction", new JsonPrimitive(entry.path() + " -> " + entry.target()));
                    narrator.detail("junction    " + entry.path() + " -> " + entry.target());
                }
            }
            default -> {
                return;
            }
        }
    }

    private String howMounted() throws IOException {
        for (StatusItem item : driver.status()) {
            if (item.key().equals("Mounts")) {
                return item.value().startsWith("overlayfs") ? "mounted by overlayfs" : "laid out as a " + item.value();
            }
        }
        return "mounted";
    }

    /** In a home of the caller's there may be layers of an earlier run. */
    private String unusedPrefix() throws IOException {
        String prefix = "quickstart";
        for (int run = 2; used(prefix); run++) {
            prefix = "quickstart" + run;
        }
        return prefix;
    }

    private boolean used(String prefix) throws IOException {
        return driver.exists(prefix + "-layer1")
                || driver.exists(prefix + "-box")
                || driver.exists(prefix + "-changes");
    }

    private static void agree(String what, String expected, String got) throws IOException {
        if (!expected.equals(got)) {
            throw new IOException(what + " does not agree: " + got + ", expected " + expected);
        }
    }
}
