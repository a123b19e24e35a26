package dev.wclayer.cli;

import com.google.gson.JsonObject;
import dev.wclayer.LayerException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;

/** Parses a command line, runs its command and turns every outcome into an exit status and one clear line. */
final class CommandLines {
    static final int OK = 0;
    static final int NO = 1;
    static final int WRONG_USAGE = 2;
    static final int FAILED = 3;

    private CommandLines() {}

    static int run(Streams streams, String... arguments) {
        Wclayer root = new Wclayer(streams);
        PrintWriter out = new PrintWriter(streams.out(), true, StandardCharsets.UTF_8);
        PrintWriter err = new PrintWriter(streams.err(), true, StandardCharsets.UTF_8);
        CommandLine line = new CommandLine(root)
                .setOut(out)
                .setErr(err)
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setParameterExceptionHandler((failure, given) -> wrongUsage(failure, err))
                .setExecutionExceptionHandler((failure, command, result) -> {
                    if (failure instanceof ParameterException usage) {
                        return wrongUsage(usage, err);
                    }
                    return failed(root, failure);
                });
        int status;
        try {
            status = line.execute(arguments);
        } catch (LinkageError noLibrary) {
            status = failed(root, noLibrary);
        }
        out.flush();
        err.flush();
        return status;
    }

    private static int wrongUsage(ParameterException failure, PrintWriter err) {
        String command = failure.getCommandLine().getCommandSpec().qualifiedName();
        err.println("wclayer: " + oneLine(String.valueOf(failure.getMessage())) + " (see " + command + " --help)");
        err.flush();
        return WRONG_USAGE;
    }

    private static int failed(Wclayer root, Throwable failure) {
        String operation = "";
        String layer = "";
        String path = "";
        String code;
        String message;
        if (failure instanceof LayerException exception) {
            operation = exception.operation();
            layer = exception.layerId();
            path = exception.path();
            code = exception.code().text();
            message = exception.reason();
        } else if (failure instanceof IOException io) {
            code = "Io";
            message = ioMessage(io);
        } else if (failure instanceof LinkageError) {
            code = "BackendUnavailable";
            message = String.valueOf(failure.getMessage());
        } else {
            code = "Internal";
            message = failure.toString();
        }
        String line = failure instanceof LayerException ? String.valueOf(failure.getMessage()) : message;
        root.streams().err().println("wclayer: " + oneLine(line));
        if (root.json()) {
            JsonObject error = new JsonObject();
            error.addProperty("operation", operation);
            error.addProperty("layer", layer);
            error.addProperty("path", path);
            error.addProperty("code", code);
            error.addProperty("message", oneLine(message));
            JsonObject object = new JsonObject();
            object.add("error", error);
            try {
                root.output().json(object);
            } catch (IOException stdoutGone) {
                return FAILED; // the line on stderr has said it
            }
        }
        return FAILED;
    }

    private static String ioMessage(IOException failure) {
        String message = String.valueOf(failure.getMessage());
        if (failure instanceof FileSystemException) {
            // Their message may be the path alone; the class says what is wrong with it.
            String kind = failure.getClass().getSimpleName().replace("Exception", "");
            return message + " (" + kind + ")";
        }
        return message;
    }

    private static String oneLine(String text) {
        return text.replace('\n', ' ').replace('\r', ' ');
    }
}
