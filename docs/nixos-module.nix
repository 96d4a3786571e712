# An example: imports = [ ./nixos-module.nix ]; services.tvix-daemon = { enable = true; package = ...; };
{ config, lib, pkgs, ... }:
let
  cfg = config.services.tvix-daemon;
  format = pkgs.formats.toml { };
  settingsFile = format.generate "tvix-daemon.toml" cfg.settings;
in
{
  options.services.tvix-daemon = {
    enable = lib.mkEnableOption "the tvix store daemon";
    package = lib.mkOption {
      type = lib.types.package;
      description = "Package with bin/tvix.";
    };
    tokenFile = lib.mkOption {
      type = lib.types.nullOr lib.types.path;
      default = null;
      description = ''
        File with a line NAME SCOPE TOKEN for each token; stays out of the Nix store. It is copied when the
        service starts: restart it after a change.
      '';
    };
    settings = lib.mkOption {
      type = format.type;
      default = { };
      example = {
        listen = [ "127.0.0.1:8000" ];
        log.level = "warn";
      };
      description = "Settings as in the file of tvix daemon --config.";
    };
  };

  config = lib.mkIf cfg.enable {
    systemd.services.tvix-daemon = {
      description = "tvix store daemon";
      wantedBy = [ "multi-user.target" ];
      after = [ "network.target" ];
      serviceConfig = {
        Type = "notify";
        NotifyAccess = "all";
        ExecStart = lib.concatStringsSep " " (
          [
            "${cfg.package}/bin/tvix daemon --data-dir %S/tvix --log-format json"
            "--config ${settingsFile}"
          ]
          ++ lib.optional (cfg.tokenFile != null) "--tokens %d/tokens"
        );
        ExecReload = "${pkgs.coreutils}/bin/kill -HUP $MAINPID";
        LoadCredential = lib.optional (cfg.tokenFile != null) "tokens:${toString cfg.tokenFile}";
        WatchdogSec = "30s";
        Restart = "on-failure";
        TimeoutStopSec = "60s";
        DynamicUser = true;
        StateDirectory = "tvix";
        StateDirectoryMode = "0700";
        UMask = "0077";
        NoNewPrivileges = true;
        PrivateDevices = true;
        PrivateTmp = true;
        ProtectHome = true;
        ProtectSystem = "strict";
        RestrictAddressFamilies = [ "AF_INET" "AF_INET6" "AF_UNIX" ];
        LimitNOFILE = 16384;
      };
    };
  };
}
