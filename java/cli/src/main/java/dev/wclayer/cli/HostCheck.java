package dev.wclayer.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.wclayer.ApplyResult;
import dev.wclayer.Change;
import dev.wclayer.CreateOptions;
import dev.wclayer.DiffPath;
import dev.wclayer.LayerDiff;
import dev.wclayer.LayerException;
import dev.wclayer.LayerMount;
import dev.wclayer.LayerProblem;
import dev.wclayer.WindowsDriver;
import dev.wclayer.compress.WindowsLayerTarWriter;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Runs each member of the driver once on a fresh home and keeps what came of it. */
final class HostCheck {
    private static final Instant TIME = Instant.parse("2025-11-04T09:15:30.1234567Z");
    private static final String FILE = "host-check.txt";
    private static final String CHANGED = "Files/" + FILE;
    private static final long SCRATCH_BYTES = 30L << 30;

    /** How a step ended. */
    enum Outcome {
        OK,
        FAILED,
        SKIPPED
    }

    /** A step that was run, or could not be because an earlier one failed. */
    record Step(
            String name,
            Outcome outcome,
            String detail,
            long millis,
            @Nullable LayerException failure) {}

    /** Does one thing and tells in a few words what came of it. */
    @FunctionalInterface
    interface Action {
        String run() throws IOException;
    }

    /** Hears of each step when it is over. */
    @FunctionalInterface
    interface Listener {
        void ended(Step step) throws IOException;
    }

    private final WindowsDriver driver;
    private final Path work;
    private final Listener listener;
    private final List<Step> steps = new ArrayList<>();
    private final Set<String> failed = new HashSet<>();

    HostCheck(WindowsDriver driver, Path work, Listener listener) {
        this.driver = driver;
        this.work = work;
        this.listener = listener;
    }

    /** All steps in order; {@code base}: a base layer to begin with, null for a made-up one. */
    List<Step> run(@Nullable Path base) throws IOException {
        describe();
        readOnlyLayers(base == null ? madeUpBase() : base);
        writableLayer();
        afterwards();
        return steps;
    }

    private void describe() throws IOException {
        step("String", List.of(), driver::toString);
        step("Status", List.of(), () -> {
            List<String> items = new ArrayList<>();
            driver.status().forEach(item -> items.add(item.key() + ": " + item.value()));
            return String.join("; ", items);
        });
        step(
                "GetCustomImageInfos",
                List.of(),
                () -> driver.getCustomImageInfos().size() + " base images");
        step("Exists of no layer", List.of(), () -> expect(!driver.exists("none"), "no"));
    }

    private void readOnlyLayers(Path base) throws IOException {
        Path child = madeUpChild();
        step("ApplyDiff of a base layer", List.of(), () -> told(driver.applyDiff("base", "", base)));
        step("GetMetadata", List.of(), () -> driver.getMetadata("base").toString());
        step("Create", List.of("ApplyDiff of a base layer"), () -> {
            driver.create("child", "base");
            return expect(driver.exists("child"), "made");
        });
        step("ApplyDiff of a layer", List.of("Create"), () -> told(driver.applyDiff("child", "base", child)));
        step("Diff of a layer", List.of("ApplyDiff of a layer"), () -> told("child"));
        step(
                "Changes of a layer",
                List.of("ApplyDiff of a layer"),
                () -> driver.changes("child", "base").toString());
        step("DiffSize of a layer", List.of("ApplyDiff of a layer"), () -> driver.diffSize("child", "base") + " bytes");
        step("DiffPath of a layer", List.of("ApplyDiff of a layer"), () -> {
            try (DiffPath folder = driver.diffPath("child")) {
                return expect(Files.isDirectory(folder.path().resolve("Files")), "a folder with Files");
            }
        });
        step("Get and Put of a read-only layer", List.of("ApplyDiff of a layer"), () -> {
            try (LayerMount mount = driver.mount("child")) {
                return "at " + mount.path();
            }
        });
    }

    private void writableLayer() throws IOException {
        String made = "Create of a writable layer";
        step(made, List.of("ApplyDiff of a layer"), () -> {
            driver.createReadWrite("box", "child", new CreateOptions(SCRATCH_BYTES));
            return expect(driver.exists("box"), "made, of " + SCRATCH_BYTES + " bytes");
        });
        step("Get, a file written, Put", List.of(made), () -> {
            try (LayerMount mount = driver.mount("box")) {
                Files.writeString(mount.path().resolve(FILE), "written in the mount\n");
                return "at " + mount.path();
            }
        });
        String mounted = "Get again, with the file there";
        step(mounted, List.of("Get, a file written, Put"), () -> {
            try (LayerMount mount = driver.mount("box");
                    LayerMount second = driver.mount("box")) {
                expect(second.path().equals(mount.path()), "twice at one path");
                return expect(Files.exists(mount.path().resolve(FILE)), "it is there");
            }
        });
        step("Diff while mounted", List.of(mounted), () -> {
            try (LayerMount mount = driver.mount("box")) {
                String told = told("box");
                return expect(Files.exists(mount.path().resolve(FILE)), told);
            }
        });
        step("Changes of a writable layer", List.of(mounted), () -> {
            List<Change> changes = driver.changes("box", "child");
            return expect(
                    changes.stream().anyMatch(change -> change.path().equals(CHANGED)), changes.size() + " changes");
        });
        step("A writable layer becomes a layer", List.of(mounted), () -> {
            Path tar = work.resolve("box.tar");
            try (LayerDiff diff = driver.diff("box", "child")) {
                diff.transferTo(tar);
            }
            return told(driver.applyDiff("commit", "child", tar));
        });
    }

    private void afterwards() throws IOException {
        step("Remove of a parent is refused", List.of("ApplyDiff of a layer"), () -> {
            try {
                driver.remove("base");
            } catch (LayerException refused) {
                return refused.code().text();
            }
            throw new IOException("the parent of a layer was removed");
        });
        step("verify", List.of(), () -> {
            List<LayerProblem> problems = driver.verify();
            return expect(problems.isEmpty(), problems.isEmpty() ? "no problem" : problems.toString());
        });
        for (String id : List.of("commit", "box", "child", "base")) {
            step("Remove of " + id, List.of(), () -> {
                if (!driver.exists(id)) {
                    return "was not there";
                }
                driver.remove(id);
                return expect(!driver.exists(id), "gone");
            });
        }
        step("Cleanup", List.of(), () -> driver.cleanup().toString());
    }

    private void step(String name, List<String> needed, Action action) throws IOException {
        Step step = needed.stream()
                .filter(failed::contains)
                .findFirst()
                .map(missing -> new Step(name, Outcome.SKIPPED, "needs '" + missing + "'", 0, null))
                .orElseGet(() -> attempt(name, action));
        if (step.outcome() != Outcome.OK) {
            failed.add(name);
        }
        steps.add(step);
        listener.ended(step);
    }

    private static Step attempt(String name, Action action) {
        long start = System.nanoTime();
        try {
            return new Step(name, Outcome.OK, action.run(), millisSince(start), null);
        } catch (LayerException failure) {
            return new Step(name, Outcome.FAILED, String.valueOf(failure.getMessage()), millisSince(start), failure);
        } catch (IOException failure) {
            return new Step(name, Outcome.FAILED, failure.toString(), millisSince(start), null);
        }
    }

    private static long millisSince(long start) {
        return (System.nanoTime() - start) / 1_000_000;
    }

    private static String expect(boolean asExpected, String text) throws IOException {
        if (!asExpected) {
            throw new IOException("not as expected: " + text);
        }
        return text;
    }

    private static String told(ApplyResult result) {
        return result.sizeBytes() + " bytes, " + result.diffId();
    }

    private String told(String id) throws IOException {
        Path tar = work.resolve(id + "-diff.tar");
        try (LayerDiff diff = driver.diff(id, null)) {
            diff.transferTo(tar);
            return diff.tarBytes() + " bytes, " + diff.diffId();
        } finally {
            Files.deleteIfExists(tar);
        }
    }

    private Path madeUpBase() throws IOException {
        return write("base.tar", tar -> {
            tar.folder("Files/Users");
            tar.file("Files/Windows/a.txt", text("from the base layer\r\n"));
            tar.file("Files/Windows/gone.txt", text("deleted by the next layer\r\n"));
        });
    }

    private Path madeUpChild() throws IOException {
        return write("child.tar", tar -> {
            tar.file("Files/example/a.txt", text("from the second layer\r\n"));
            tar.file("Files/example/b.txt", text("and another file\r\n"));
        });
    }

    /** Puts entries into a tar. */
    @FunctionalInterface
    private interface Filler {
        void fill(WindowsLayerTarWriter tar) throws IOException;
    }

    private Path write(String name, Filler filler) throws IOException {
        Path file = work.resolve(name);
        try (WindowsLayerTarWriter tar =
                new WindowsLayerTarWriter(new BufferedOutputStream(Files.newOutputStream(file)), TIME)) {
            filler.fill(tar);
        }
        return file;
    }

    private static byte[] text(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    static JsonArray json(List<Step> steps) {
        JsonArray array = new JsonArray();
        for (Step step : steps) {
            JsonObject object = Json.object("step", step.name());
            object.addProperty("outcome", step.outcome().name().toLowerCase(Locale.ROOT));
            object.addProperty("detail", step.detail());
            object.addProperty("millis", step.millis());
            LayerException failure = step.failure();
            if (failure != null) {
                object.addProperty("code", failure.code().text());
                object.addProperty("hresult", String.format("0x%08x", failure.hresult()));
                object.addProperty("errno", failure.errno());
            }
            array.add(object);
        }
        return array;
    }
}
